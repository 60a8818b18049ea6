"""What stands before any banner: foreign text, or a stream that was joined half-way.

Lines of plain text go through at once. Anything else is held, up to MAX_HELD bytes, and read with each tag
width in turn: the right one gives valid frames, the others next to none. The held bytes are then read
again with it, so nothing is missed.
"""
from __future__ import annotations

import re
from typing import NamedTuple, Optional

from . import records, wire
from .frames import Frame, check
from .lanes import WHOLE, Lanes

MAX_HELD = 1 << 16
LEAST = 256     # bytes, before which it is not tried
TEXT = re.compile(rb"(?:[\t\r\x1b\x20-\x7e]*\n)+")


class Found(NamedTuple):
    t: int
    identity: Optional[records.Identity]    # of the first SYNC that has one


class Seeker:
    """Holds bytes until it is known what they are. It judges them when it holds so many and so many, whatever
    the pieces are in which they come: what is found must not hang on those.
    """

    def __init__(self) -> None:
        self.held = b""
        self._try_at = LEAST

    @property
    def room(self) -> int:
        """So many bytes it takes before it judges."""
        return self._try_at - len(self.held)

    def feed(self, data: bytes) -> bytes:
        """Takes `room` bytes at most, returns those that are foreign text for sure."""
        first = b"\n" not in self.held      # no line of it was judged yet
        self.held += data
        text = TEXT.match(self.held) if first else None
        return self.release(text.end()) if text else b""

    def found(self, last: bool = False) -> Optional[Found]:
        """The tag width, as soon as it is known; a stream that names its build is waited for unless this
        is the `last` call.
        """
        if not self.held or (len(self.held) < self._try_at and not last):
            return None
        self._try_at = self._next()
        found = detect(self.held)
        if found is not None and (last or found.identity is not None or len(self.held) >= MAX_HELD):
            return found
        return None

    def release(self, size: int) -> bytes:
        data, self.held = self.held[:size], self.held[size:]
        self._try_at = self._next()
        return data

    def _next(self) -> int:
        return min(max(LEAST, 2 * len(self.held)), MAX_HELD)

    def excess(self) -> int:
        """So many bytes are more than shall be held."""
        return len(self.held) - MAX_HELD // 2 if len(self.held) >= MAX_HELD else 0


def detect(data: bytes) -> Optional[Found]:
    """The tag width with which these bytes hold valid frames."""
    best, best_score = None, 0
    for t in range(wire.MAX_TAG_BITS + 1):
        valid, ended, identity = _try(data, t)
        if identity is not None:
            return Found(t, identity)
        # One frame in 2^16 is valid by chance: a stream must do much better
        if valid > best_score and (valid * 50 >= ended if valid > 1 else ended <= 20):
            best, best_score = Found(t, None), valid
    return best


def _try(data: bytes, t: int) -> tuple[int, int, Optional[records.Identity]]:
    lanes = Lanes(t)
    valid = ended = 0
    for piece in lanes.feed(data, 0):
        if piece.how != WHOLE:
            continue
        ended += 1
        frame = check(piece.lane, piece.symbols, lanes.p)
        if isinstance(frame, Frame):
            valid += 1
            identity = _identity(frame)
            if identity is not None and identity.t == t and identity.version == wire.FORMAT_VERSION:
                return valid, ended, identity
    return valid, ended, None


def _identity(frame: Frame) -> Optional[records.Identity]:
    try:
        return records.sync(frame.body).identity if frame.kind == wire.KIND_SYNC else None
    except ValueError:
        return None
