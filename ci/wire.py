"""A machine whose CPUs log at work: what it sent must be found again elsewhere, in its memory or in gdb."""

from __future__ import annotations

from pathlib import Path

from ci import image
from decoder import Boot, Decoder, Event, Record

CUE = "PROGRESS"  # the demo is at work on all CPUs
WORK = 3.0  # seconds from the cue until something is done to the machine
KEPT = 50  # records of a ring that have to agree with the wire, or all, if there are fewer


class Failure(Exception):
    """Why a row fails, for a person."""


class Wire:
    """COM1 as it grows."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._decoder = Decoder(str(elf()))

    def feed(self, data: bytes) -> None:
        self.events += self._decoder.feed(data) if data else []

    def says(self, text: str) -> bool:
        return any(isinstance(event, Record) and text in event.message for event in self.events[-20:])

    @property
    def boots(self) -> list[Boot]:
        return [event for event in self.events if isinstance(event, Boot)]


def elf() -> Path:
    return image.BUILD / "braid.elf"
