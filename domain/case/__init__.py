"""The case 诉求: one resident's request from the moment somebody notices it to its archive."""

from domain.case.process import CASE

__all__ = ["CASE"]
