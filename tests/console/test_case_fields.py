"""The table of fields in docs/processes/case.md names every act and every field there is, and no other."""

import re
from pathlib import Path
from typing import get_args

from domain.case.commands import Command

DOCUMENT = Path(__file__).parents[2] / "docs" / "processes" / "case.md"
MODELS = {model.model_fields["kind"].default: model for model in get_args(get_args(Command)[0])}
OF_THE_VAULT = {"wording"}


def table() -> dict[tuple[str, ...], str]:
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.split("## What an act is written like")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([a-z_, ]+) \|(.*)\|$", section, re.MULTILINE)
    return {tuple(kinds.split(", ")): fields for kinds, fields in rows if kinds != "kind"}


def test_every_act_stands_there_once() -> None:
    assert sorted(kind for kinds in table() for kind in kinds) == sorted(MODELS)


def test_every_field_stands_there() -> None:
    for kinds, told in table().items():
        fields = {name for kind in kinds for name in MODELS[kind].model_fields} - {"kind"} - OF_THE_VAULT
        assert fields <= set(re.findall(r"`([a-z_]+)`", told)), kinds


def test_fields_that_are_needed_stand_before_the_brackets() -> None:
    for kinds, told in table().items():
        if len(kinds) > 1:
            continue
        needed = {name for name, field in MODELS[kinds[0]].model_fields.items() if field.is_required()}
        assert needed <= set(re.findall(r"`([a-z_]+)`", re.sub(r"\[.*?\]", "", told))), kinds
