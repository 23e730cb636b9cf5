"""Backups: making them, proving them, putting them back."""
