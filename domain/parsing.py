"""From outside data to values, with refusals that name the field, the problem and the remedy."""

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any, NoReturn

from pydantic import TypeAdapter, ValidationError

from domain.base import Recalled
from domain.errors import Refused
from domain.process import Envelope, Process
from domain.refusals import CATALOGUE
from domain.text import Code

_WANTED: dict[str, tuple[str, str]] = {
    "enum": ("应为以下之一：{expected}", "one of: {expected}"),
    "literal_error": ("应为以下之一：{expected}", "one of: {expected}"),
    "int_type": ("应为整数", "should be a whole number"),
    "int_parsing": ("应为整数", "should be a whole number"),
    "int_from_float": ("应为整数", "should be a whole number"),
    "greater_than_equal": ("应不小于 {ge}", "should be at least {ge}"),
    "greater_than": ("应大于 {gt}", "should be more than {gt}"),
    "less_than_equal": ("应不大于 {le}", "should be at most {le}"),
    "less_than": ("应小于 {lt}", "should be less than {lt}"),
    "bool_type": ("应为 true 或 false", "should be true or false"),
    "bool_parsing": ("应为 true 或 false", "should be true or false"),
    "string_type": ("应为文字", "should be text"),
    "datetime_type": ("应为时间，如 2026-11-25T10:00:00+08:00", "should be a time such as 2026-11-25T10:00:00+08:00"),
    "datetime_parsing": (
        "应为时间，如 2026-11-25T10:00:00+08:00",
        "should be a time such as 2026-11-25T10:00:00+08:00",
    ),
    "datetime_from_date_parsing": (
        "应为时间，如 2026-11-25T10:00:00+08:00",
        "should be a time such as 2026-11-25T10:00:00+08:00",
    ),
    "timezone_aware": (
        "时间要写明时区，如 2026-11-25T10:00:00+08:00",
        "a time needs its offset, as in 2026-11-25T10:00:00+08:00",
    ),
    "too_short": ("至少要有 {min_length} 项", "needs at least {min_length}"),
    "too_long": ("最多 {max_length} 项", "takes at most {max_length}"),
    "tuple_type": ("应为列表 [ … ]", "should be a list [ … ]"),
    "model_type": ("应为一组字段 {{ … }}", "should be an object {{ … }}"),
    "model_attributes_type": ("应为一组字段 {{ … }}", "should be an object {{ … }}"),
    "union_tag_unable_to_extract": ("应为一组字段 {{ … }}", "should be an object {{ … }}"),
}
"""What a value should have been, by the name pydantic has for what is wrong with it."""


def expected(error: Mapping[str, Any]) -> tuple[str, str]:
    """What the value of one pydantic error should have been, in Chinese and English; the value is not repeated."""
    context = {name: str(value) for name, value in (error.get("ctx") or {}).items()}
    if "expected" in context:
        context["expected"] = ", ".join(re.findall(r"'([^']*)'", context["expected"])) or context["expected"]
    zh, en = _WANTED.get(str(error["type"]), ("", ""))
    if not zh:
        return "格式不对", str(error["msg"])
    return zh.format_map(context), en.format_map(context)


def parse_json(text: str | bytes) -> Any:
    """The JSON value in ``text``. Raises ``Refused`` ``json.malformed`` with line and column."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise Refused("json.malformed", line=1, column=error.start + 1) from None
    except json.JSONDecodeError as error:
        raise Refused("json.malformed", line=error.lineno, column=error.colno) from None
    except (ValueError, RecursionError):
        # NaN, a number of thousands of digits, brackets without end: the reader cannot say where.
        raise Refused("json.malformed", line=1, column=1) from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def parse(adapter: TypeAdapter[Any], raw: Any) -> Any:
    """The value that the decoded JSON ``raw`` describes.

    Raises ``Refused`` for the first thing that is wrong with it. The offending value is never repeated unless it
    is a word of ours or a limit: it may be personal.
    """
    try:
        return adapter.validate_python(raw)
    except ValidationError as error:
        _refuse(error, tagged=False)


def parse_command(process: Process[Any], raw: Any) -> Any:
    """The command of ``process`` that ``raw`` describes. Raises ``Refused`` like ``parse``."""
    try:
        return process.command.validate_python(raw)
    except ValidationError as error:
        _refuse(error, tagged=True)


def check_types(process: Process[Any], raw: Any) -> None:
    """Check that ``raw``, decoded JSON, describes a command of ``process`` in the very types of JSON it is written in.

    ``parse_command`` also reads a number out of a text, as forms and files have it; programs have no such excuse.
    Raises ``Refused`` like ``parse``.
    """
    try:
        process.command.validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        _refuse(error, tagged=True)


class _Sender(Recalled):
    person: Code
    organisation: Code | None = None
    grid: Code | None = None


class _Sent(Recalled):
    actor: _Sender


_SENT: TypeAdapter[_Sent] = TypeAdapter(_Sent)


def parse_envelope(process: Process[Any], envelope: Envelope) -> Any:
    """The command in ``envelope``, whose id and sender are written as ids and codes are.

    Doors are not believed: what cannot be recorded must not reach the ledger. Raises ``Refused``.
    """
    try:
        uuid.UUID(envelope.command_id)
    except ValueError:
        raise Refused("command.bad_id", field="command_id") from None
    parse(_SENT, {"actor": envelope.actor.model_dump(mode="json")})
    return parse_command(process, envelope.command)


def _refuse(error: ValidationError, *, tagged: bool) -> NoReturn:
    first = error.errors(include_url=False, include_input=False)[0]
    kind, context = first["type"], {name: str(value) for name, value in (first.get("ctx") or {}).items()}
    # In a tagged union the tag stands first in the path of an error; people do not write it as a field.
    path = [str(part) for part in first["loc"]][1 if tagged and first["loc"] else 0 :]
    field = ".".join(path) or "kind"
    match kind:
        case "missing":
            raise Refused("field.missing", field=field) from None
        case "extra_forbidden":
            raise Refused("field.unknown", field=field) from None
        case "union_tag_not_found":
            raise Refused("field.missing", field="kind") from None
        case "union_tag_invalid":
            tag = context.get("tag", "")[:40]
            known = context.get("expected_tags", "").replace("'", "")
            raise Refused("command.unknown_kind", field="kind", kind=tag, known=known) from None
        case _ if kind in CATALOGUE:
            raise Refused(kind, field=field, **context) from None
        case _:
            zh, en = expected(first)
            raise Refused("field.invalid", field=field, reason=zh, reason_en=en) from None
