"""summary.json has its keys, and `all passed` means all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ci import summary
from ci.demo import demo_machine
from ci.logview import Line
from ci.session import Session

KEYS = ["cpus", "loops", "passed32", "passed64", "frames", "frames_lost", "lines", "text_bytes", "wire_bytes",
        "boot_seconds", "quiesces", "exits"]


def finished(console: bytes, log: tuple[str, ...] = ()) -> summary.Summary:
    session = Session(demo_machine(4, 5, 1024), Path("unused"))
    session.log.lines += [Line(0, 1.0, "info", text) for text in log]
    session.console.feed(console, 2.0)
    return summary.summarise(session, 5)


def test_a_good_run() -> None:
    figures = finished(b"PROGRESS 32 5\nPROGRESS 64 5\n",
                       ("guest powers off: 9 exits, 20 quiesces", "log: 4 frames"))
    assert list(figures.as_json()) == KEYS
    assert (figures.passed32, figures.passed64, figures.quiesces, figures.exits) == (5, 5, 20, 9)
    assert figures.all_passed
    assert not replace(figures, frames_lost=1).all_passed


def test_a_run_that_stopped_early() -> None:
    figures = finished(b"PROGRESS 32 5\nPROGRESS 64 4\n")
    assert not figures.all_passed
    assert not finished(b"FAILED 64 5, status 1\nPROGRESS 32 5\nPROGRESS 64 5\n").all_passed
    assert figures.quiesces is None and figures.boot_seconds is None
    figures.table()
