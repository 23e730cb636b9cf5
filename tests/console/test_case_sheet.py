"""The sheet of a case whose clocks stand still: why, until when, and which of them."""

from collections.abc import Iterator

import pytest

from console.case_sheet import draw_case
from console.session import Options, use
from tests.domain import routes as r
from tests.domain.routes import working_until
from tests.domain.spec import Story
from tests.neighbourhood import WORLD


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    use(Options(language="zh"))
    yield
    use(Options())


def sheet(story: Story, capsys: pytest.CaptureFixture[str]) -> str:
    assert WORLD.registry is not None
    draw_case("case-1", story.state, WORLD.registry, story.at)
    return capsys.readouterr().out


def test_a_suspended_case_shows_the_clocks_that_stand_still(capsys: pytest.CaptureFixture[str]) -> None:
    story = working_until("handling").when(r.SUSPEND, "dispatcher", on="11-23 12:10").happens()
    shown = sheet(story, capsys)
    assert "停表（等待当事人，至 " in shown
    still = [line.split() for line in shown.splitlines() if "停止计时" in line]
    assert ["处置时限", "5个工作日", "正常", "-", "停止计时"] in still


def test_a_shelved_case_shows_its_next_review(capsys: pytest.CaptureFixture[str]) -> None:
    story = working_until("handling").when(r.SHELVE, "dispatcher", on="11-23 12:10").happens()
    assert "挂账（2026-12-" in sheet(story, capsys)
    assert "停止计时" in sheet(story, capsys)


def test_a_case_that_runs_shows_no_clock_that_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    shown = sheet(working_until("handling"), capsys)
    assert "停止计时" not in shown
    assert "处置时限" in shown
    assert "派单时限" not in shown
