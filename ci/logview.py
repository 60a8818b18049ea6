"""The log as the test machines see it: decoded lines as they come, kept, with the wire's statistics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional


@dataclass(frozen=True)
class Line:
    """One decoded line; cpu None is what firmware, GRUB or a boot error said in plain text."""
    cpu: Optional[int]
    seconds: float
    level: str
    text: str

    def __str__(self) -> str:
        if self.cpu is None:
            return self.text
        return f"cpu{self.cpu} {self.seconds:12.6f} {self.level:5} {self.text}"


class LogView:
    """Plain-text placeholder until the decoder is wired in."""

    def __init__(self, elf: Path) -> None:
        self.lines: list[Line] = []
        self.wire_bytes = 0
        self._rest = b""

    def feed(self, data: bytes) -> None:
        self.wire_bytes += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        for raw in whole:
            self.lines.append(Line(None, 0.0, "", raw.decode("latin-1").rstrip("\r")))

    def close(self) -> None:
        if self._rest:
            self.feed(b"\n")

    frames = 0
    frames_lost = 0
    own_lines = 0
    text_bytes = 0
