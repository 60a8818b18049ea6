"""Tagged bytes -> the frames of each lane, by the nesting rule (log/FORMAT.md, "Frames").

One lane holds a stack of open frames, because contexts nest strictly on one CPU. START opens a frame on top;
its first symbol names its context c, and abandons the frames below it of contexts >= c. END closes the
innermost frame. Only START and END are looked at one by one: numpy sorts a chunk's bytes by lane, so that the
symbols between them are slices.

Each piece keeps the positions of its bytes on the wire, so that what proves to be no frame can be shown in
its order. At most MAX_DEPTH frames of at most max_symbols(p) symbols are kept open a lane: memory is
constant.
"""
from __future__ import annotations

from typing import Any, Iterator

import numpy as np

from . import wire
from .symbols import context_of

Array = Any     # np.ndarray of positions; numpy's own annotations say nothing more that helps here

WHOLE, ABANDONED, STRAY, CUT = "whole", "abandoned", "stray", "cut"
UNNAMED = -1            # context of a frame whose first symbol has not come; it counts as below all others
MAX_DEPTH = 4           # contexts that can nest


def max_symbols(p: int) -> int:
    """The longest frame, if each of its symbols holds a stuffed bit."""
    return -(-wire.FRAME_MAX * 8 // (p - 1))


Span = tuple[Array, int, int]   # positions of a chunk's bytes sorted by lane, from, to


class Piece:
    """Some bytes of one lane: a frame (whole, abandoned or cut), or stray bytes that no frame holds. A
    frame's `symbols` are without its START and END; a stray END is a symbol.
    """

    __slots__ = ("lane", "context", "how", "symbols", "spans")

    def __init__(self, lane: int, context: int, how: str, symbols: bytes, spans: list[Span]) -> None:
        self.lane = lane
        self.context = context
        self.how = how
        self.symbols = symbols
        self.spans = spans      # START and END included

    def positions(self) -> Array:
        """Where its bytes stand in the capture, START and END included."""
        return np.concatenate([where[i:j] for where, i, j in self.spans])


class Lanes:
    """The demultiplexer of one boot. feed() yields pieces in the order in which they end on the wire."""

    def __init__(self, t: int) -> None:
        self.t = t
        self.p = 8 - t
        self.start = (1 << self.p) - 1
        self.end = self.start - 1
        self._limit = max_symbols(self.p)
        self.open: list[list[Piece]] = [[] for _ in range(1 << t)]   # of each lane, the innermost last

    def oldest(self) -> int:
        """Position of the first byte that belongs to an open frame; -1 if there is none."""
        starts = [int(f.spans[0][0][f.spans[0][1]]) for stack in self.open for f in stack]
        return min(starts, default=-1)

    def feed(self, data: bytes, at: int) -> Iterator[Piece]:
        """`at` is the position of the first byte of `data` in the capture."""
        wire_bytes = np.frombuffer(data, dtype=np.uint8)
        tags = wire_bytes >> self.p if self.t else np.zeros(len(data), dtype=np.uint8)
        order = np.argsort(tags, kind="stable")
        sorted_symbols = (wire_bytes & self.start)[order]
        symbols = sorted_symbols.tobytes()
        where = order + at
        edges = np.searchsorted(tags[order], np.arange((1 << self.t) + 1)).tolist()
        marks = np.flatnonzero(sorted_symbols >= self.end)
        marks = marks[np.argsort(order[marks], kind="stable")]      # in the order of the wire again
        done = list(edges)
        start = self.start
        for mark, lane in zip(marks.tolist(), tags[order[marks]].tolist()):
            begin = done[lane]
            done[lane] = mark + 1
            stack = self.open[lane]
            if mark > begin:
                yield from self._data(lane, symbols[begin:mark], where, begin)
            if symbols[mark] == start:
                if len(stack) >= MAX_DEPTH:
                    contexts = [frame.context for frame in stack]
                    lowest = contexts.index(min(contexts))
                    yield self._drop(stack, lowest)
                stack.append(Piece(lane, UNNAMED, WHOLE, b"", [(where, mark, mark + 1)]))
            elif stack:
                frame = stack.pop()
                frame.spans.append((where, mark, mark + 1))
                yield frame
            else:
                yield Piece(lane, UNNAMED, STRAY, symbols[mark:mark + 1], [(where, mark, mark + 1)])
        for lane in range(1 << self.t):
            if edges[lane + 1] > done[lane]:
                begin = done[lane]
                yield from self._data(lane, symbols[begin:edges[lane + 1]], where, begin)
        self._settle()

    def finish(self) -> Iterator[Piece]:
        """The frames that are still open: cut. Per lane, the outermost first."""
        for stack in self.open:
            for frame in stack:
                frame.how = CUT
                yield frame
            stack.clear()

    def _data(self, lane: int, symbols: bytes, where: Array, begin: int) -> Iterator[Piece]:
        """Symbols between two marks of a lane."""
        stack = self.open[lane]
        span = (where, begin, begin + len(symbols))
        if not stack:
            yield Piece(lane, UNNAMED, STRAY, symbols, [span])
            return
        frame = stack[-1]
        if len(frame.symbols) + len(symbols) > self._limit:
            frame.spans.append(span)    # no frame is that long: this is no frame, or its END was lost
            frame.symbols += symbols
            yield self._drop(stack, len(stack) - 1)
            return
        if frame.context == UNNAMED:
            frame.context = context = context_of(symbols[0], self.p)
            for i in range(len(stack) - 2, -1, -1):
                if stack[i].context >= context:
                    yield self._drop(stack, i)
        frame.symbols += symbols
        frame.spans.append(span)

    @staticmethod
    def _drop(stack: list[Piece], i: int) -> Piece:
        frame = stack.pop(i)
        frame.how = ABANDONED
        return frame

    def _settle(self) -> None:
        """Open frames must not keep whole chunks alive: copy the positions that they need."""
        for stack in self.open:
            for frame in stack:
                own = frame.positions()
                frame.spans = [(own, 0, len(own))]
