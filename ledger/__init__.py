"""The ledger: the append-only log in PostgreSQL, its read models, the vault and the registry tables."""
