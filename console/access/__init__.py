"""Who may sign in: accounts, passwords, sessions, tokens. Knows nothing of HTTP."""
