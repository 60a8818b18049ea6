"""Times: from the low bits that a record carries to the whole (log/FORMAT.md, "Bodies"), and from units to
seconds.
"""
from __future__ import annotations

from typing import Any, Optional


class ContextClock:
    """The times of one lane's context. They never go back, so enough low bits and the latest known time
    give the whole.
    """

    __slots__ = ("latest", "uncertain")

    def __init__(self) -> None:
        self.latest: Optional[int] = None
        self.uncertain = True       # until the first SYNC

    def sync(self, time: int) -> None:
        self.latest = time
        self.uncertain = False

    def lost(self, frames: int) -> None:
        """Records carry bits enough for one lost frame."""
        if frames >= 2:
            self.uncertain = True

    def whole(self, low: int, bits: int, hint: Optional[int]) -> Optional[int]:
        """The smallest time with these low bits that is not below the latest one; with 0 bits, so many units
        behind it. Before there is any, the one nearest to `hint`.
        """
        floor = self.latest
        if not bits:
            return None if floor is None else floor + low
        if floor is None:
            if hint is None:
                return None
            floor = max(0, hint - (1 << bits - 1))
        return floor + (low - floor & (1 << bits) - 1)


class Base:
    """The time-base of one boot: units of 2^shift ticks of a TSC of `khz`, seconds counted from the first
    time that is sure.
    """

    __slots__ = ("shift", "khz", "origin", "newest", "_unit")

    def __init__(self, shift: int = 0, khz: int = 0) -> None:
        self.origin: Optional[int] = None
        self.newest: Optional[int] = None   # the latest sure time of any lane
        self.set(shift, khz)

    def set(self, shift: int, khz: int) -> None:
        self.shift = shift
        self.khz = khz
        self._unit = (1 << shift) / (khz * 1000) if khz else 0.0

    def sure(self, time: int) -> None:
        if self.origin is None:
            self.origin = time
        if self.newest is None or time > self.newest:
            self.newest = time

    def column(self, times: Any) -> Any:
        """seconds() of an array of times, where the origin is known."""
        return (times - self.origin) * self._unit

    def seconds(self, time: Optional[int]) -> Optional[float]:
        """None while the frequency or the origin is not known."""
        if time is None or self.origin is None or not self._unit:
            return None
        return (time - self.origin) * self._unit
