"""Doors of the small neighbourhood for tests of files."""

from tests.console.http.conftest import doors, reading_doors, working_office
from tests.workflows.conftest import clockwork, furnished_database, template

__all__ = ["clockwork", "doors", "furnished_database", "reading_doors", "template", "working_office"]
