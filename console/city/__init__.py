"""An invented city with a history: who lives and works in it, what it asks for, and a ledger full of it."""
