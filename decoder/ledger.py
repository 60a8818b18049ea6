"""The ledger of losses: one account for each context of each lane.

A frame carries the low 4 bits of its number, so a gap is known modulo 16 at once, and exactly at the next
SYNC, which carries whole counters: what is still missing then is added, and what was reported too much (a
frame that the line repeats later looks like lost ones) is taken back, as a gap with a negative count. A
capture that was joined half-way begins its account at the first frame that came: what was before is not
lost, it was never listened to.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional


@dataclass(slots=True)
class Gap:
    first: int
    count: int
    exact: bool     # the numbers are whole; otherwise only their low 4 bits are known


class Account:
    __slots__ = ("next", "exact", "_dropped", "_last")

    def __init__(self, from_start: bool) -> None:
        """`from_start`: the capture holds this boot from its banner on, so that the first frame must be
        number 0.
        """
        self.next: Optional[int] = 0 if from_start else None    # number of the frame that is expected
        self.exact = from_start
        self._dropped: Optional[int] = 0 if from_start else None
        self._last: Optional[tuple[int, int, bytes]] = None

    def repeats(self, kind: int, seq: int, body: bytes) -> bool:
        """Is this the frame that came just before, repeated by the line? A frame of its own has another
        sequence number.
        """
        this = (kind, seq, body)
        if self._last == this:
            return True
        self._last = this
        return False

    def frame(self, seq: int) -> Optional[Gap]:
        """A frame that is not a SYNC came, with these low bits of its number."""
        expected = seq if self.next is None else self.next
        missing = seq - expected & 15
        self.next = expected + missing + 1
        return Gap(expected, missing, self.exact) if missing else None

    def sync(self, number: int) -> Optional[Gap]:
        """A SYNC of this context came, whose whole number is this."""
        if self.next is None:
            self.next = number
        elif not self.exact:
            self.next = number - (number - self.next & 15)      # the gap that the low bits show stays
        gap = Gap(self.next, number - self.next, True)
        self.next = number + 1
        self.exact = True
        return gap if gap.count else None

    def begun(self, frames: int) -> Optional[Gap]:
        """A SYNC of a lower context says that so many were begun before it. An NMI may have come while
        that SYNC was on its way, so fewer than are known of is no news.
        """
        if self.next is None:
            self.next = frames
        elif not self.exact:
            self.next = frames - ((frames - self.next + 8 & 15) - 8)    # the nearest with the right low bits
        self.exact = True
        gap = Gap(self.next, frames - self.next, True)
        if gap.count <= 0:
            return None
        self.next = frames
        return gap

    def news(self, frames: int, dropped: int) -> bool:
        """Would a SYNC with these counters say more than is known? Changes nothing. Of an exact account."""
        return (self.next is None or frames > self.next
                or self._dropped is None or dropped > self._dropped)

    def advance(self, count: int, kind: int, seq: int, body: bytes) -> None:
        """So many frames came, each with the number that was expected; the last one was this."""
        self.next = (self.next or 0) + count
        self._last = (kind, seq, body)

    def drops(self, total: int) -> int:
        """Records dropped since the last call, by the context's own counter (which a SYNC on its way may
        show older than it is).
        """
        before = total if self._dropped is None else self._dropped
        self._dropped = max(total, before)
        return self._dropped - before
