"""NMIs from outside, by the clock and the console."""

from __future__ import annotations

from typing import Any

from ci.console import Console
from ci.machine import Nmis
from ci.session import Injection


class Emulator:
    def __init__(self) -> None:
        self.nmis = 0

    def inject_nmi(self) -> None:
        self.nmis += 1


def steps(injection: Injection, console: Console, emulator: Any, count: int, start: float) -> None:
    for i in range(count):
        injection.step(emulator, console, start + i)


def test_so_many() -> None:
    injection, console, emulator = Injection(Nmis(count=3, every=2.0, after="READY")), Console(), Emulator()
    steps(injection, console, emulator, 5, 0.0)
    assert emulator.nmis == 0 and injection.left == 3
    console.feed(b"READY\n", 5.0)
    steps(injection, console, emulator, 3, 5.0)
    assert emulator.nmis == 2 and injection.left == 1
    steps(injection, console, emulator, 9, 8.0)
    assert emulator.nmis == injection.done == 3 and injection.left == 0


def test_until_the_console_says_so() -> None:
    injection, console = Injection(Nmis(every=1.0, after="READY", until="OVER")), Console()
    emulator = Emulator()
    console.feed(b"READY\n", 0.0)
    steps(injection, console, emulator, 7, 0.0)
    assert emulator.nmis == 7 and injection.left == 0
    console.feed(b"OVER\n", 7.0)
    steps(injection, console, emulator, 7, 7.0)
    assert emulator.nmis == injection.done == 7
