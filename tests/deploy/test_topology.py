"""The processes of Compose are replaced by a newer release, one after the other, while people act: nobody notices."""

from pathlib import Path

import pytest

from bench.topology import Size, measure

SMALL = Size(workers=2, consoles=2, clients=4, calm=1.0, pause=(0.3, 0.9), restart=False)


@pytest.mark.timeout(300)
async def test_an_upgrade_under_load_refuses_loses_and_doubles_nothing(tmp_path: Path) -> None:
    figures = await measure(tmp_path, SMALL, seed=11)

    assert figures.refused == {}
    assert figures.findings == []
    assert figures.unfinished == 0
    # Otherwise this run has not tested what it is for.
    assert {phase.name: bool(phase.took) for phase in figures.phases}["upgrade"]
    replaced = {line["on"] for line in figures.history.of("stopped")}
    assert {"worker-1", "worker-2", "console-1", "console-2", "connector"} <= replaced
