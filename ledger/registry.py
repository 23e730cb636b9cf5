"""The registry and the rule books as they stand in the database.

Owns the revisions: a load writes its whole content under the next number and changes no older row, so that nothing
is ever replaced without a trace. Must not judge a registry: ``domain.registry_check`` does.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from domain.base import Frozen
from domain.errors import Refused
from domain.people import ADMINISTRATIVE, ROLE_NAMES, SYSTEM, Role
from domain.registry import Assignment, Category, Entry, Grid, Organisation, Person, Registry
from domain.registry_check import registry_of
from domain.registry_problem import GridBounds, RawRegistry
from domain.rules import RuleBook
from domain.zone import office_day
from ledger.access import administrators_among, lock_accounts
from ledger.log import Connection, Json, digest
from ledger.security import Kind, record

_LOCK = "registry"
_TABLES: tuple[tuple[str, str, type[Entry]], ...] = (
    ("organisation", "organisations", Organisation),
    ("grid", "grids", Grid),
    ("category", "categories", Category),
    ("person", "persons", Person),
    ("assignment", "assignments", Assignment),
)


async def load_registry(
    conn: Connection, registry_input: RawRegistry, by: str, *, bounds: GridBounds | None = None, drop: bool = False
) -> int:
    """Make the rows the registry in force and return its revision; ``by`` is the code of the loading person.

    The input is the whole registry. Loading the content in force again changes nothing and returns the same
    revision. All or nothing; older revisions stay as they are.

    Raises ``Refused`` ``registry.unsound`` when the rows have problems, or when a code of the registry in force is
    absent (give it a ``valid_to`` instead, or pass ``drop``): cases refer to it. ``registry.administrator_apart`` when
    somebody whom their account makes an administrator is to audit or to give out rights.
    """
    wanted = registry_of(registry_input, bounds=bounds)
    async with conn.transaction():
        await conn.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", _LOCK)
        current = await read_registry(conn)
        content = digest(_content(wanted))
        if current.revision and digest(_content(current)) == content:
            return current.revision
        dropped = _dropped(current, wanted)
        if dropped and not drop:
            raise Refused(
                "registry.unsound",
                count=len(dropped),
                where=", ".join(dropped[:10]),
                first="不在新的登记册中，请写明其 valid_to",
                first_en="missing from the new registry, give it a valid_to",
            )
        await _check_accounts(conn, wanted)
        revision = current.revision + 1
        await conn.execute(
            "insert into registry_revision (number, loaded_at, loaded_by, digest) values ($1, $2, $3, $4)",
            revision,
            datetime.now(UTC),
            by,
            content,
        )
        for table, field, model in _TABLES:
            await _insert(conn, table, model, revision, getattr(wanted, field))
        detail = {"revision": revision, **_roles_changed(current, wanted)}
        await record(conn, Kind.REGISTRY_LOADED, actor=by, subject=str(revision), detail=detail)
    return revision


_NOT_WITH_AN_ACCOUNT = tuple(role for role in ADMINISTRATIVE if role is not Role.ADMINISTRATOR)


async def _check_accounts(conn: Connection, wanted: Registry) -> None:
    """三员分立, also with administrators whom their account makes one.

    Raises ``Refused`` ``registry.administrator_apart``.
    """
    today = office_day(datetime.now(UTC))
    held = {
        each.person: each.role
        for each in wanted.assignments
        if each.role in _NOT_WITH_AN_ACCOUNT and (each.valid_to is None or each.valid_to >= today)
    }
    # Nobody becomes an administrator while this is looked at.
    await lock_accounts(conn)
    for person in await administrators_among(conn, list(held)):
        zh, en = ROLE_NAMES[held[person]]
        raise Refused("registry.administrator_apart", field="role", person=person, role=zh, role_en=en)


async def check_apart(conn: Connection, person: str, day: date) -> None:
    """Nothing when an account may make this person an administrator from ``day`` on.

    Raises ``Refused`` ``access.roles_apart`` where the registry in force gives them another administrative role.
    """
    row = await conn.fetchval(
        """
        select role from assignment
        where revision = (select max(number) from registry_revision) and person = $1 and role = any($2::text[])
          and (valid_to is null or valid_to >= $3)
        limit 1
        """,
        person,
        [role.value for role in _NOT_WITH_AN_ACCOUNT],
        day,
    )
    if row is not None:
        zh, en = ROLE_NAMES[Role(row)]
        raise Refused("access.roles_apart", field="person", person=person, role=zh, role_en=en)


def _roles_changed(before: Registry, after: Registry) -> dict[str, int]:
    """How many assignments of roles came, went and changed: what an auditor looks at first."""
    found = Counter(each.change for each in changes(before, after) if each.kind == "assignment")
    return {f"roles_{change}": found[change] for change in ("added", "changed", "removed")}


def _content(registry: Registry) -> dict[str, list[Json]]:
    """The entries in an order of their own, so that the order of files and rows makes no new revision."""
    dumped = registry.model_dump(mode="json", exclude={"revision"})
    return {name: sorted(rows, key=lambda row: json.dumps(row, sort_keys=True)) for name, rows in dumped.items()}


def _dropped(current: Registry, wanted: Registry) -> list[str]:
    before, after = _codes(current), _codes(wanted)
    return [f"{kind} {code}" for kind, code in sorted(before - after)]


def _codes(registry: Registry) -> set[tuple[str, str]]:
    found = {("organisation", each.code) for each in registry.organisations}
    found |= {("grid", each.code) for each in registry.grids}
    found |= {("category", each.code) for each in registry.categories}
    return found | {("person", each.id) for each in registry.persons}


async def _insert(conn: Connection, table: str, model: type[Entry], revision: int, entries: Sequence[Entry]) -> None:
    columns = list(model.model_fields)
    await conn.copy_records_to_table(
        table,
        columns=["revision", *columns],
        records=[(revision, *(getattr(entry, column) for column in columns)) for entry in entries],
    )


async def read_registry(conn: Connection, revision: int | None = None) -> Registry:
    """The registry in force, or that of an older ``revision``; the empty registry before the first load.

    A revision never changes, so the answer may be kept as long as ``revision`` is the one ``open_stream`` names.
    """
    async with conn.transaction():
        if revision is None:
            revision = await conn.fetchval("select coalesce(max(number), 0) from registry_revision")
        found = {field: await _select(conn, table, model, revision) for table, field, model in _TABLES}
    return Registry.model_validate({"revision": revision, **found})


async def _select(conn: Connection, table: str, model: type[Entry], revision: int) -> list[Entry]:
    columns = ", ".join(model.model_fields)
    key = {"person": "id", "assignment": "person, role, organisation, grid"}.get(table, "code")
    rows = await conn.fetch(f"select {columns} from {table} where revision = $1 order by {key}, valid_from", revision)
    return [model.model_validate(dict(row)) for row in rows]


class Change(Frozen):
    """What a new revision says about one entry that the old one did not say, or the other way round."""

    kind: str
    key: str
    change: str


def changes(before: Registry, after: Registry) -> tuple[Change, ...]:
    """Entries ``added``, ``changed`` or ``removed`` between two registries, for people to look at before or after."""
    found: list[Change] = []
    for kind, field, _ in _TABLES:
        old, new = _keyed(getattr(before, field)), _keyed(getattr(after, field))
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                change = "added" if key not in old else "removed" if key not in new else "changed"
                found.append(Change(kind=kind, key=key, change=change))
    return tuple(found)


def _keyed(entries: Sequence[Entry]) -> dict[str, Entry]:
    return {_key(entry): entry for entry in entries}


def _key(entry: Entry) -> str:
    match entry:
        case Assignment():
            parts = (entry.person, entry.role.value, entry.organisation or "-", entry.grid or "-")
            return f"{' '.join(parts)} {entry.valid_from}"
        case Person():
            return f"{entry.id} {entry.valid_from}"
        case Organisation() | Grid() | Category():
            return f"{entry.code} {entry.valid_from}"
        case _:
            raise TypeError(type(entry).__name__)


@dataclass(frozen=True)
class RuleBooks:
    """All rule books by version, and the version new processes pin; None before the first book."""

    books: dict[str, RuleBook]
    current: str | None


async def store_rule_book(
    conn: Connection, version: str, body: Json, *, choose: bool = True, by: str = SYSTEM.person
) -> str | None:
    """Keep a rule book for ever and, unless ``choose`` is false, let new processes pin it from now on.

    ``by`` is the code of the person who does it. Returns the version in force before. All or nothing; storing the same
    content again is fine, choosing the version in force changes nothing. Raises ``Refused`` ``rules.version_exists``
    when the version stands for other content, ``field.invalid`` when the body names another version, and
    ``pydantic.ValidationError`` when the body is no rule book.
    """
    if RuleBook.model_validate(body).version != version:
        raise Refused("field.invalid", field="version", reason=version)
    content = digest(body)
    async with conn.transaction():
        await conn.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", _LOCK)
        known = await conn.fetchval("select digest from rule_book where version = $1", version)
        if known is None:
            await conn.execute(
                "insert into rule_book (version, body, digest) values ($1, $2::text::jsonb, $3)",
                version,
                json.dumps(body, ensure_ascii=False),
                content,
            )
        elif known != content:
            raise Refused("rules.version_exists", version=version)
        before: str | None = await conn.fetchval("select version from rule_book_choice order by number desc limit 1")
        chosen = choose and before != version
        if chosen:
            await conn.execute("insert into rule_book_choice (version, chosen_by) values ($1, $2)", version, by)
        if known is None or chosen:
            detail = {"new": known is None, "chosen": chosen}
            await record(conn, Kind.RULES_STORED, actor=by, subject=version, detail=detail)
    return before


async def read_rule_books(conn: Connection) -> RuleBooks:
    """All rule books and the current version; a book never changes, so books already known stay valid."""
    rows = await conn.fetch("select version, body::text as body from rule_book order by adopted_at, version")
    current = await conn.fetchval("select version from rule_book_choice order by number desc limit 1")
    return RuleBooks(
        {row["version"]: RuleBook.model_validate_json(row["body"], extra="ignore") for row in rows}, current
    )
