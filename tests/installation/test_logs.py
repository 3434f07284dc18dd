"""Log files stay small while their writers go on."""

from __future__ import annotations

import os
from pathlib import Path

from workspace.installation import logs


def test_a_large_log_is_set_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "web-1.log"
    with open(log, "ab") as writer:
        for number in range(5):
            writer.write(f"round {number}\n".encode() * 20)
            writer.flush()
            logs.rotate(tmp_path, largest_bytes=100)
        writer.write(b"the last line\n")
    assert log.read_text() == "the last line\n"
    assert "round 4" in (tmp_path / "web-1.log.1").read_text()
    assert "round 2" in (tmp_path / "web-1.log.3").read_text()
    assert not (tmp_path / "web-1.log.4").exists()


def test_followers_see_what_is_written_and_survive_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "web-1.log"
    log.write_text("before\n")
    (tmp_path / "beat.log").write_text("not asked for\n")
    lines = logs.follow(tmp_path, ["web"], 5)
    assert next(lines) == "web-1       before"
    with open(log, "a") as writer:
        writer.write("whole line\nhalf a")
    assert next(lines) == "web-1       whole line"
    os.truncate(log, 0)
    with open(log, "a") as writer:
        writer.write("anew\n")
    assert next(lines) == "web-1       anew"
