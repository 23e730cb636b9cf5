"""Every command that a document or a script names exists, with these options and this many arguments."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.exceptions import TyperException

from console.cli import COMMANDS, load, take_shared
from domain.errors import Refused
from tests.deploy.rendered import DEPLOY, ROOT, SYSTEMD, compose, pods, unit

DOCUMENTS = [*sorted(ROOT.glob("docs/operations/*.md")), DEPLOY / "README.md", DEPLOY / "kubernetes" / "secrets.md"]
SCRIPTS = sorted(
    [*DEPLOY.rglob("*.sh"), *DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.env.example"), DEPLOY / "image/Dockerfile"]
)
_BEGINS = r"(?:(?:(?<![\w/@.:-])(?<!-u )|(?<=bin/))bihuan|\brun --rm office)[ ]+([a-z]+(?![\w.@/-])[^\n`|#;&)<>]*)"


class WrongUseError(Exception):
    """The command line would not take it."""


def commands(path: Path) -> Iterator[str]:
    """What stands behind ``bihuan`` in code of a document, or anywhere in a script."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
        inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
        text = "\n".join([*fenced, *inline])
    for found in re.findall(_BEGINS, text.replace("\\\n", " ")):
        yield found.strip().rstrip(".,:'\"")


def named() -> Iterator[tuple[str, str]]:
    for path in [*DOCUMENTS, *SCRIPTS]:
        for line in commands(path):
            if line.split()[0] in COMMANDS or path.suffix == ".md":
                yield str(path.relative_to(ROOT)), line
    for name, service in compose()["services"].items():
        words = [*(service.get("entrypoint") or ()), *(service.get("command") or ())]
        if words[:1] == ["bihuan"]:
            yield f"compose {name}", shlex.join(words[1:])
    for pod in pods():
        if pod.container["command"][0] == "bihuan":
            yield f"kubernetes {pod}", shlex.join(pod.container["command"][1:])
    for path in sorted(SYSTEMD.glob("*.service")):
        for line in unit(path)["Service"]["ExecStart"].splitlines():
            program, _, rest = line.partition(" ")
            if program.endswith("/bihuan"):
                yield path.name, rest.replace("%i", "D08")


@cache
def loaded(name: str) -> Any:
    """A command, imported once for all the places that name it."""
    return load(name, COMMANDS[name])


def parse(line: str) -> None:
    """Raises ``WrongUseError`` for what the command line would not take."""
    words = list(take_shared(shlex.split(line)).arguments)
    if words[0] not in COMMANDS:
        raise WrongUseError(f"no command {words[0]}")
    command = loaded(words.pop(0))
    while hasattr(command, "commands") and words:
        name = words.pop(0)
        if name not in command.commands:
            raise WrongUseError(f"no command {name} in {line}")
        command = command.commands[name]
    if not words:
        # Named in a sentence, not typed.
        return
    context = command.make_context(line, [], resilient_parsing=True)
    context.resilient_parsing = False
    try:
        given, left, _ = command.make_parser(context).parse_args(args=words)
    except TyperException as error:
        raise WrongUseError(str(error)) from error
    missing = [
        each.name
        for each in command.params
        if each.param_type_name == "argument"
        and each.required
        and not isinstance(given.get(each.name), str | tuple | list)
    ]
    if left or missing:
        raise WrongUseError(f"too many or too few arguments: {left} {missing}")


def test_every_command_that_is_named_exists_with_these_options() -> None:
    wrong = []
    found = sorted(set(named()))
    for where, line in found:
        try:
            parse(line)
        except (WrongUseError, Refused) as error:
            wrong.append(f"{where}: bihuan {line}: {error}")

    assert wrong == []
    assert len(found) > 40


@pytest.mark.parametrize("line", ["migrat", "migrate --chek", "backup create A B --keys k", "key shw"])
def test_a_command_that_is_none_would_be_found(line: str) -> None:
    with pytest.raises((WrongUseError, Refused)):
        parse(line)


def test_every_target_of_make_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for path in [*DOCUMENTS, *SCRIPTS]:
        for name in re.findall(r"(?:`|^#   )make ([a-z-]+)", path.read_text("utf-8"), re.M):
            assert name in targets, f"{path.relative_to(ROOT)}: make {name}"
