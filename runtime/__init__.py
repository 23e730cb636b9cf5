"""What the product needs to run: settings, logs, connections and the embedded servers.

Owns processes, sockets and files of one installation. Must not know the rules of the trade, the ledger's tables or
any workflow.
"""
