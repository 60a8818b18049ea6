"""The judge of `make reset-test`: it must be able to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci.reset_test import compare, exchange, overlap
from ci.wire import Failure, elf
from decoder import Event, Record


def lines(cpu: int, numbers: range) -> list[Event]:
    return [Record(cpu, 0, message=f"line {n}") for n in numbers]


def machine(numbers: range) -> list[Event]:
    return [event for cpu in range(4) for event in lines(cpu, numbers)]


def test_what_was_in_flight_may_lack_on_the_wire() -> None:
    assert compare(machine(range(1000)), machine(range(500, 1000))) == 2000
    assert compare(machine(range(1000)), machine(range(500, 1002))) == 2000


def test_lost_records_fail() -> None:
    with pytest.raises(Failure, match="cpu0"):
        compare(machine(range(1000)), machine(range(500, 990)))     # the ring lacks the last ones
    with pytest.raises(Failure, match="cpu0"):
        compare(machine(range(1000)), machine(range(500, 980)) + machine(range(981, 1000)))
    with pytest.raises(Failure, match="the machine did not work"):
        compare(machine(range(1000)), [])
    with pytest.raises(Failure, match="the machine did not work"):
        compare(machine(range(1000)), lines(2, range(500, 1000)))


def test_overlap_ends_at_the_first_difference() -> None:
    assert overlap(["a", "b", "c"], ["x", "b", "c"]) == 2
    assert overlap(["a", "b", "c"], ["b", "c", "flying"]) == 2
    assert overlap(["a"], []) == 0


def test_a_build_is_exchanged_in_place(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"..old!..old!")
    exchange(image, b"old!", b"new?")
    assert image.read_bytes() == b"..new?..new?"
    with pytest.raises(Failure, match=str(elf())):
        exchange(image, b"old!", b"new?")
