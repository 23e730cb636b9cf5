"""``/api/v1``: the doors for programs, one module per noun."""
