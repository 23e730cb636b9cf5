"""Who is asking: accounts, passwords, sessions, API tokens, throttled attempts, the office's identity provider.

Owns what somebody must show to be believed. Knows no HTTP; what a person may do, ``domain.rights`` decides.
"""
