"""The commands behind the forms: which fields a kind has, which must be given, how long they may be.

Owns the look into the models, so that labels and limits can never say anything else than what is checked.
"""

from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from domain.case.commands import Command as CaseCommand
from domain.text import CODE_LIMIT, LINE_LIMIT, TEXT_LIMIT, Code, Line, Text
from domain.wish import Command as WishCommand

MODELS: dict[str, type[BaseModel]] = {
    model.model_fields["kind"].default: model
    for command in (CaseCommand, WishCommand)
    for model in get_args(get_args(command)[0])
}
"""The model of every kind of command."""

_LENGTHS = ((Text, TEXT_LIMIT), (Line, LINE_LIMIT), (Code, CODE_LIMIT))


@cache
def field_of(kind: str, path: str) -> FieldInfo:
    """The field at ``path`` (``workload.people``) of the kind's model. Raises ``KeyError`` where there is none."""
    model: Any = MODELS[kind]
    found: FieldInfo | None = None
    for name in path.split("."):
        found = _model(model).model_fields[name]
        model = found.annotation
    assert found is not None
    return found


def _model(annotation: Any) -> type[BaseModel]:
    """The model a field holds, also as one of several or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for each in get_args(annotation):
        found = _model_or_none(each)
        if found is not None:
            return found
    raise KeyError(str(annotation))


def _model_or_none(annotation: Any) -> type[BaseModel] | None:
    try:
        return _model(annotation)
    except KeyError:
        return None


def is_required(kind: str, path: str) -> bool:
    """Whether the value must be given wherever the command is sent."""
    names = path.split(".")
    return all(field_of(kind, ".".join(names[: count + 1])).is_required() for count in range(len(names)))


@cache
def longest(kind: str, path: str) -> int | None:
    """Most characters of a text; None for what is no text."""
    field = field_of(kind, path)
    marks = _marks(Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation)
    for text, length in _LENGTHS:
        if get_args(text)[1] in marks:
            return length
    return None


def _marks(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Annotated:
        return [*_marks(get_args(annotation)[0]), *get_args(annotation)[1:]]
    if get_origin(annotation) is not None:
        return [mark for each in get_args(annotation) for mark in _marks(each)]
    return []


@cache
def bounds(kind: str, path: str) -> tuple[int | None, int | None]:
    """The least and the greatest number a field takes."""
    marks = field_of(kind, path).metadata
    least = next((int(str(mark.ge)) for mark in marks if isinstance(mark, Ge)), None)
    most = next((int(str(mark.le)) for mark in marks if isinstance(mark, Le)), None)
    return least, most


def is_truth(kind: str, path: str) -> bool:
    """Whether the field is yes or no, given or not."""
    annotation = field_of(kind, path).annotation
    return annotation is bool or (get_origin(annotation) in (Union, type(int | None)) and bool in get_args(annotation))
