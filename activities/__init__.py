"""Everything a workflow asks the outside world to do."""
