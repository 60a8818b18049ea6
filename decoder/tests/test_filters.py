"""Filters and columns: what a reader asked for is shown, whole, and nothing else; what was hidden is said."""
from __future__ import annotations

import argparse
import io
from pathlib import Path

import pytest

from decoder import Boot, Foreign, Loss, Note, Record
from decoder.columns import ColumnsOutput
from decoder.events import Event
from decoder.filters import Filter, add_arguments, of

from .test_cli import capture, decode

EVENTS: list[Event] = [
    Boot(text="1 t=2 cpus=4", fields={"cpus": "4"}),
    Record(0, 0, 1, 1.0, level=2, id=1, file="core/quiesce.c", function="report", message="zero"),
    Foreign(data=b"GRUB\n"),
    Record(1, 1, 2, 2.0, level=0, id=2, file="tv/scode.c", function="scode_register", message="one"),
    Loss(2, 0, 3, 2.5, first=3, count=2),
    Record(2, 3, 3, None, level=2, id=9, message="#9 00"),
    Record(3, 0, 4, 4.0, level=3, id=0, message="text"),
    Note(text="note"),
]


def shown(command: str) -> list[int]:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    passed = of(parser.parse_args(command.split()))(EVENTS)
    return [i for i, event in enumerate(EVENTS) if event in passed]


@pytest.mark.parametrize("command, expected", [
    ("", [0, 1, 2, 3, 4, 5, 6, 7]),
    ("--cpu 0,2-3", [0, 1, 4, 5, 6, 7]),
    ("--context nmi,panic", [0, 3, 5, 7]),
    ("--level info", [0, 1, 3, 4, 5, 7]),
    ("--level E", [0, 3, 4, 5, 7]),             # record 5 is of no known level
    ("--file quiesce.c", [0, 1, 4, 7]),
    ("--file tv/*", [0, 3, 4, 7]),
    ("--function scode_*", [0, 3, 4, 7]),
    ("--since 2", [0, 3, 4, 5, 6, 7]),          # and record 5 of no known time
    ("--until 2", [0, 1, 2, 3, 5, 7]),
    ("--since 2 --until 3 --cpu 1", [0, 3, 7]),
])
def test_filters(command: str, expected: list[int]) -> None:
    assert shown(command) == expected


def test_inactive_without_arguments() -> None:
    assert not Filter().active and Filter(since=0.0).active


@pytest.mark.parametrize("command", ["--cpu x", "--cpu 3-", "--context irq", "--level loud", "--since now",
                                     "--cpu 3-1", "--since nan", "--until -nan"])
def test_bad_filters_are_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        shown(command)
    assert "error: argument" in capsys.readouterr().err


def test_what_is_hidden_is_said(tmp_path: Path) -> None:
    path = tmp_path / "capture.bin"
    path.write_bytes(capture())
    status, out, err = decode("--cpu", "1", path)
    assert status == 0 and "cpu1" in out and "cpu0" not in out and "cpu2" not in out
    assert "8 lines hidden by filters" in err


def columns(events: list[Event], width: int) -> list[str]:
    stream = io.StringIO()
    ColumnsOutput(stream, None, width).write(events)
    return stream.getvalue().splitlines()


def test_columns_stand_side_by_side() -> None:
    long = "a message that is much longer than its column is wide, with-hyphens and " + "x" * 60
    rows = columns(EVENTS[:5] + [Record(2, 0, 4, 3.0, level=2, function="f", message=long)], 134)
    header = next(row for row in rows if "cpu3" in row)
    bars = [i for i, c in enumerate(header) if c == "│"]
    body = [row for row in rows if "│" in row and row is not header]
    assert all([i for i, c in enumerate(row) if c == "│"] == bars and len(row) == len(header) for row in body)
    assert [row.split("│")[1].strip() for row in body[:2]] == ["I report: zero", ""]
    assert body[1].split("│")[2].strip() == "NMI E scode_register: one"
    text = "".join(row.split("│")[3].strip() for row in body[3:])
    assert "x" * 60 in text and "with-hyphens" in text
    assert any(row.endswith("foreign | GRUB") for row in rows)


def test_a_narrow_terminal_gets_merged_lines() -> None:
    rows = columns(EVENTS, 80)
    assert "4 columns need a terminal of 114, this one has 80: merged lines" in rows[0]
    assert rows[2] == "     1.000000 cpu0        I report: zero"
