"""Doors for the tests of the API."""

from tests.console.http.conftest import clockwork, doors, furnished_database, reading_doors, template, working_office

__all__ = ["clockwork", "doors", "furnished_database", "reading_doors", "template", "working_office"]
