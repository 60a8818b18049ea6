"""Bytes that belong to no valid frame -> the foreign trace, in the order of the wire and cut into lines.

A frame proves to be none long after its first byte came, while bytes behind it are already known as stray.
So bytes wait here until no open frame is older than they are, or until MAX_HELD of the wire has passed: a
CPU that hangs within a frame must not silence firmware.
"""
from __future__ import annotations

from typing import Any, Iterator, Optional

import numpy as np

from .events import Foreign

MAX_HELD = 4096     # wire bytes that a stray byte may wait for an older open frame
MAX_GAP = 256       # stray bytes further apart are not of one line
MAX_LINE = 512


class ForeignTrace:
    def __init__(self) -> None:
        self.total = 0
        self.stray = 0              # of the total, bytes that no text has
        self._held: list[tuple[Any, bytes]] = []
        self._first = -1            # position of the oldest byte held
        self._line = bytearray()
        self._at = 0                # position of the line's first byte
        self._next = 0              # position behind its last

    @property
    def waits(self) -> bool:
        return bool(self._held)

    def add(self, positions: Any, data: bytes) -> None:
        """Bytes with their positions in the capture."""
        self.total += len(data)
        first = int(positions[0])
        if not self._held or first < self._first:
            self._first = first
        self._held.append((positions, data))

    def release(self, now: int, oldest_open: int) -> Iterator[Foreign]:
        """Lines that are complete. `now`: bytes seen so far; `oldest_open`: first byte of the oldest open
        frame, -1 if there is none.
        """
        if not self._held or (0 <= oldest_open < self._first and now - self._first < MAX_HELD):
            return
        positions = np.concatenate([p for p, _ in self._held])
        data = np.frombuffer(b"".join([d for _, d in self._held]), dtype=np.uint8)
        self._held = []
        order = np.argsort(positions, kind="stable")
        positions, data = positions[order], data[order]
        breaks = (np.flatnonzero(np.diff(positions) > MAX_GAP) + 1).tolist()
        for i, j in zip([0] + breaks, breaks + [len(data)]):
            yield from self.text(data[i:j].tobytes(), int(positions[i]), int(positions[j - 1]) + 1)

    def text(self, data: bytes, at: int, end: Optional[int] = None) -> Iterator[Foreign]:
        """Bytes that are known to be foreign and in order."""
        if self._line and not 0 <= at - self._next <= MAX_GAP:
            yield from self.flush()
        for piece in _lines(data):
            for i in range(0, len(piece), MAX_LINE):
                part = piece[i:i + MAX_LINE]
                if not self._line:
                    self._at = at
                self._line += part
                at += len(part)
                if part.endswith(b"\n") or len(self._line) >= MAX_LINE:
                    yield from self.flush()
        self._next = at if end is None else end

    def flush(self) -> Iterator[Foreign]:
        """The line that has no end yet."""
        if self._line:
            event = Foreign(data=bytes(self._line), at=self._at)
            self.stray += event.unreadable
            yield event
            self._line.clear()


def _lines(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + [p for p in parts[-1:] if p]
