"""Nobody who is logged or listed writes lines of their own or commands the terminal of whoever reads them."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Literal

import pytest

from console import output
from runtime.logging import get_logger, set_up_logging

FORGED = "x\n2026-11-27 00:00:00 [info     ] signed_in\r\x1b[2J\x9b31m\u2028y"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    yield
    set_up_logging()


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_record_is_one_line_whatever_stands_in_its_values(form: Literal["console", "json"]) -> None:
    stream = io.StringIO()
    set_up_logging("info", form, stream)

    get_logger("ours").info("file_taken", name=FORGED, names=[FORGED], more={FORGED: FORGED})
    logging.getLogger("theirs").warning("taken %s", FORGED)

    written = stream.getvalue()
    assert len(written.splitlines()) == 2
    assert not set(written) & set("\r\x1b\x9b\u2028")
    assert "signed_in" in written
    if form == "json":
        assert json.loads(written.splitlines()[0])["name"].startswith("x\\n2026")


@pytest.mark.parametrize("form", ["console", "json"])
def test_the_words_of_an_error_cannot_pass_for_a_record(form: Literal["console", "json"]) -> None:
    stream = io.StringIO()
    set_up_logging("info", form, stream)

    try:
        raise ValueError(FORGED)
    except ValueError:
        get_logger("ours").exception("went_wrong")

    written = stream.getvalue()
    assert not set(written) & set("\r\x1b\x9b\u2028")
    assert not any(line.startswith("2026-11-27 00:00:00 [info     ] signed_in") for line in written.splitlines())
    assert "signed_in" in written


def test_what_the_command_line_shows_cannot_command_the_terminal() -> None:
    shown = io.StringIO()
    with redirect_stdout(shown):
        output.line(FORGED, FORGED)
        output.table([("标题", "title")], [[FORGED]])
        output.fields([("标题", "title", FORGED)])
        output.console().print(FORGED)
        output.console().print(output.styled(FORGED, "red"))
    assert not set(shown.getvalue()) & set("\x1b\x9b")
    assert shown.getvalue().count("signed_in") == 5
