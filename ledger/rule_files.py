"""Rule books in files, and the one that ships with the product.

Owns the choice of the reader by the ending of the file. ``domain.rule_check`` judges what was read; nothing is stored
here: ``ledger.registry.store_rule_book`` does.
"""

from collections.abc import Iterable
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

from domain.errors import Refused
from domain.rule_check import Checked, check_rules
from domain.rule_problem import RawBook
from domain.rules import RuleBook
from ledger.rule_sheets import read_rule_tables
from ledger.rule_yaml import read_rule_yaml, rule_book_yaml
from ledger.tables import SUFFIXES as TABLE_SUFFIXES

__all__ = [
    "TABLE_SUFFIXES",
    "YAML_SUFFIXES",
    "check_rule_file",
    "example_book",
    "read_rule_file",
    "rule_book_yaml",
]

YAML_SUFFIXES = (".yaml", ".yml", ".json")
"""JSON is YAML."""


def read_rule_file(path: Path) -> RawBook:
    """The rule book in a YAML or table file, unjudged.

    Raises ``Refused`` ``rules.unknown_format`` for other endings, and for a file that cannot be read as a whole
    ``file.unreadable``, ``import.file_too_large``, ``import.too_many_columns``, ``import.no_sheet``.
    """
    suffix = path.suffix.lower()
    if suffix in YAML_SUFFIXES:
        return read_rule_yaml(path)
    if suffix in TABLE_SUFFIXES:
        return read_rule_tables(path)
    raise Refused("rules.unknown_format", field="file", suffix=suffix or path.name)


def check_rule_file(
    path: Path,
    base: RuleBook | None = None,
    *,
    version: str | None = None,
    registry: Iterable[str] | None = None,
) -> Checked:
    """The rule book in a file, judged; ``base`` (default: the shipped example) gives what a table leaves open.

    ``version`` and ``registry`` are those of ``domain.rule_check.check_rules``. Raises ``Refused`` as
    ``read_rule_file`` does.
    """
    return check_rules(read_rule_file(path), base or example_book(), version=version, registry=registry)


@cache
def example_book() -> RuleBook:
    """The rule book a new office starts with (示例), as shipped in ``ledger/shipped/rules_example.yaml``."""
    with as_file(files("ledger") / "shipped" / "rules_example.yaml") as path:
        raw = read_rule_yaml(path)
    return check_rules(raw).sound()
