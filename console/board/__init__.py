"""The wall 督办墙: signed addresses and news of the ledger. Knows nothing of routes and templates."""
