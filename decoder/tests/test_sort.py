"""--sort: by time within a boot, in constant memory; nothing is lost or doubled, and what is late is said."""
from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Optional

from hypothesis import given
from hypothesis import strategies as st

from decoder import Boot, Decoder, Event, Finder, Foreign, Loss, Note, Record
from decoder.sort import SortedOutput

from . import encode
from .encode import Cpu
from .test_cli import decode


class Kept:
    """An output that keeps what it gets."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = 0

    def write(self, events: list[Event]) -> None:
        self.events += events

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1


def sort(events: list[Event], window: int, piece: int = 7) -> list[Event]:
    kept = Kept()
    output = SortedOutput(kept, window)
    for i in range(0, len(events), piece):
        output.write(events[i:i + piece])
        assert len(output._held) <= window
    output.close()
    assert kept.closed == 1
    return kept.events


def late(rounds: int, backlog: int) -> bytes:
    """CPUs whose records come in pieces of a backlog each, as an asynchronous log sends them."""
    wire = encode.banner(2, 4)
    cpus = [Cpu(2, lane) for lane in range(4)]
    for start in range(0, rounds, backlog):
        for cpu in cpus:
            for i in range(start, start + backlog):
                time = 1000 + 10 * i + cpu.lane
                wire += b"".join(cpu.records(0, time, [encode.text(time, 2, f"{i} of {cpu.lane}")]))
    return wire


def test_a_backlog_is_put_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "capture.bin"
    path.write_bytes(late(60, 20) + late(20, 20))
    expected = [f"{i} of {lane}" for rounds in (60, 20) for i in range(rounds) for lane in range(4)]
    unsorted = decode(path)[1]
    status, out, err = decode("--sort", path)
    assert status == 0 and "320 lines" in err
    assert [line.partition(" I ")[2] for line in out.splitlines() if " I " in line] == expected
    assert sorted(out.splitlines()) == sorted(unsorted.splitlines()) and out != unsorted
    events = [json.loads(line) for line in decode("--sort", "--json", path)[1].splitlines()]
    assert [e["message"] for e in events if e["type"] == "record"] == expected
    columns = decode("--sort", "--columns", path)[1]
    places = [columns.index(text) for text in expected[:9]]
    assert places == sorted(places)


def test_a_live_input_is_not_sorted() -> None:
    status, out, err = decode("--sort", "-", feed=late(4, 2))
    assert (status, out) == (2, "") and "stdin may go on for ever" in err and len(err.splitlines()) == 1


def test_what_has_no_time_stays_behind_its_neighbour() -> None:
    events: list[Event] = [
        Foreign(data=b"first"), Record(0, ticks=50, message="a"), Loss(0, ticks=50, count=1),
        Record(1, ticks=20, message="b"), Foreign(data=b"behind b"),
        Record(2, ticks=99, message="no CRC", cut="open"), Record(3, ticks=30, message="c"),
        Note(text="behind c"),
        Boot(text="again"), Record(0, ticks=10, message="d"), Record(0, ticks=5, message="e")]
    order = [0, 3, 4, 5, 6, 7, 1, 2, 8, 10, 9]
    assert sort(events, 100) == [events[i] for i in order]


def test_what_comes_too_late_is_said() -> None:
    events: list[Event] = [Record(0, ticks=i) for i in range(100, 120)]
    events[15:15] = [Record(1, ticks=1, message="late"), Loss(1, ticks=1, count=2)]
    out = sort(events, 10)
    assert sorted(map(repr, out[:-1])) == sorted(map(repr, events))
    assert isinstance(out[-1], Note) and "1 records came more than 10 events late" in out[-1].text
    assert not any(isinstance(e, Note) for e in sort(events, 20))


EVENT = st.one_of(
    st.builds(lambda ticks, cut: Record(0, ticks=ticks, cut=cut), st.none() | st.integers(0, 40),
              st.sampled_from(["", "", "open"])),
    st.builds(lambda ticks: Loss(1, ticks=ticks, count=1), st.none() | st.integers(0, 40)),
    st.builds(lambda: Foreign(data=b"x")), st.builds(Note), st.builds(Boot))


@given(st.lists(EVENT, max_size=60), st.integers(1, 70), st.integers(1, 60))
def test_nothing_is_lost_or_doubled(events: list[Event], window: int, piece: int) -> None:
    out = sort(events, window, piece)
    notes = [e for e in out if isinstance(e, Note) and "late" in e.text]
    rest = [e for e in out if not (isinstance(e, Note) and "late" in e.text)]
    assert sorted(map(id, rest)) == sorted(map(id, events))
    assert window < 60 or not notes
    last: Optional[int] = None
    back = 0
    for event in rest:
        if isinstance(event, Boot):
            last = None
        elif isinstance(event, Record) and event.ticks is not None and not event.cut:
            back += last is not None and event.ticks < last
            last = event.ticks if last is None else max(last, event.ticks)
    assert back <= sum(int(e.text.split()[0]) for e in notes), "each record out of order is counted"


def test_a_whole_machine_keeps_each_cpus_order() -> None:
    reader = Decoder(Finder([], patterns=()))
    wire = bytearray(late(300, 100))
    for at in random.Random(3).sample(range(2000, len(wire)), 40):
        wire[at] ^= 4
    events = reader.feed(bytes(wire)) + reader.finish()
    out = sort(events, 1 << 16)
    for lane in range(4):
        mine = [[e for e in one if isinstance(e, Record) and e.lane == lane and not e.cut]
                for one in (events, out)]
        assert mine[0] == mine[1]
