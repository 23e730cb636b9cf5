"""Judging a rule book that somebody wrote, by what this office knows."""

from domain.rule_check import Checked, check_rules
from domain.rule_problem import RawBook
from domain.rules import RuleBook
from ledger.log import Connection
from ledger.registry import read_registry


async def judge(conn: Connection, raw: RawBook, base: RuleBook, version: str | None) -> Checked:
    """The book that was written, judged against the categories of the registry in force.

    ``base`` gives what a table leaves open; ``version`` replaces the one in the file.
    """
    registry = await read_registry(conn)
    codes = {each.code for each in registry.categories} if registry.revision else None
    return check_rules(raw, base, version=version, registry=codes)
