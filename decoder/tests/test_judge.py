"""Whose log a live input carries is judged by more than its first read, and a banner has the last word."""
from __future__ import annotations

import random

import pytest

from decoder import Boot, Decoder, Event, Finder, Foreign, Note, Record
from decoder.app import Job
from decoder.codes.judge import HEAD, Judge
from decoder.filters import Filter

from . import older
from .older import Older
from .test_cli import capture

COREBOOT = b"coreboot-4.11\r\nCPU #0 initialized\r\nCPU #1 initialized\r\n"


def judge() -> Judge:
    return Judge(Decoder(Finder([], patterns=())))


def read(reader: Judge, *pieces: bytes) -> list[Event]:
    """An empty piece is a silence."""
    events: list[Event] = []
    for piece in pieces:
        events += reader.feed(piece) if piece else reader.idle()
    return events + reader.finish()


def messages(events: list[Event]) -> list[str]:
    return [e.message for e in events if isinstance(e, Record)]


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("size", [1, 3, 64, 5000])
def test_firmware_that_speaks_of_cpus_is_not_the_older_system(silent: bool, size: int) -> None:
    """Also where it was shown as that one's, since the line fell silent behind it."""
    wire = capture()
    rest = [wire[i:i + size] for i in range(0, len(wire), size)]
    reader = judge()
    events = read(reader, COREBOOT[:20], COREBOOT[20:], *([b""] if silent else []), *rest)
    whole = judge()
    assert messages(events)[-11:] == messages(read(whole, wire))
    assert [type(e) for e in events].count(Boot) == 1
    assert any("not Braid's" in e.text for e in events if isinstance(e, Note)) == silent
    assert reader.stats.bytes == len(COREBOOT) + len(wire)
    assert reader.stats.foreign_bytes == len(COREBOOT) + whole.stats.foreign_bytes
    assert reader.stats.lines == 11 and not whole.stats.frames_lost - reader.stats.frames_lost
    at = [e.at for e in events if isinstance(e, Foreign) and e.data == b"SeaBIOS\r\n"]
    assert at == ([] if silent else [len(COREBOOT)])


def test_the_older_system_is_known_whatever_its_first_read_is() -> None:
    wire = Older(1).capture(older.RUN_ERROR, 2)
    assert len(wire) > HEAD
    expected = messages(read(judge(), wire))
    for first in (1, 2, 300):
        events = read(judge(), wire[:first], wire[first:])
        assert messages(events) == expected and "not Braid's: text" in getattr(events[0], "text", "")


def test_the_commands_ask_the_judge() -> None:
    job = Job("a port", True, Finder([], patterns=()), None, Filter())
    for chunk in (b"CPU #0 initialized\r\n", capture(), None):
        job.take(chunk)
    assert (job.decoder.stats.lines, job.decoder.stats.frames) == (11, 15)


def test_a_short_beginning_is_shown_after_a_silence() -> None:
    reader = judge()
    assert not reader.feed(b"SeaBIOS? yes")
    assert [e.data for e in reader.idle() if isinstance(e, Foreign)] == [b"SeaBIOS? yes"]
    assert not read(judge(), b"", b"")


def test_noise_goes_through_whole() -> None:
    noise = random.Random(2).randbytes(20_000)
    events = read(judge(), *[noise[i:i + 999] for i in range(0, len(noise), 999)])
    assert b"".join(e.data for e in events if isinstance(e, Foreign)) == noise
