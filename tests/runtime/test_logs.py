"""A log makes room while its writer goes on: nothing is lost, nothing stands twice, and two files are all there is."""

import subprocess
import sys
from pathlib import Path

from runtime.children import make_room


def test_a_log_makes_room_under_the_hands_of_its_writer(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    say = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
    with (
        log.open("ab") as output,
        subprocess.Popen([sys.executable, "-c", say], stdin=subprocess.PIPE, stdout=output, text=True) as writer,
    ):
        assert writer.stdin is not None
        for round_ in range(3):
            before = log.stat().st_size
            writer.stdin.write(f"line {round_}\n")
            writer.stdin.flush()
            while log.stat().st_size == before:
                assert writer.poll() is None
            assert make_room(log, limit=100) is False
            assert make_room(log, limit=3) is True
            assert log.read_text("utf-8") == ""
            assert (tmp_path / "worker.log.1").read_text("utf-8") == f"line {round_}\n"

    assert sorted(each.name for each in tmp_path.iterdir()) == ["worker.log", "worker.log.1"]
    assert (tmp_path / "worker.log.1").stat().st_mode & 0o777 == 0o600
