"""The quick path: a long piece of a clean stream -> lines of text, many frames at once.

It reads a piece only if nothing in it is worth a word but its records: frames that follow one another on each
lane, whole, with fitting CRCs, every sequence number in turn, every counter as expected, every time sure.
Anything else is left to the careful path (session.py), with not a bit of state changed; so this one never has
to explain anything. Both share the session's accounts, clocks and open frames, and show the same text.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

import numpy as np

from . import bulktext, records, wire
from .events import Block
from .lanes import UNNAMED, WHOLE, Piece, max_symbols
from .symbols import context_of
from .vector import Array, Unclean, check_crcs, unpack, varints

if TYPE_CHECKING:
    from .session import Session

LEAST = 1 << 13         # bytes; for fewer numpy does not pay
WHOLE_TIME = (1 << 64) - 1


class Frames(NamedTuple):
    """Frames by lane, and in the order of their ENDs on each."""

    data: Array         # bytes of all of them
    body: Array         # where the body begins
    end: Array          # where it ends
    group: Array        # lane << 2 | context
    kind: Array
    seq: Array
    order: Array        # place of its END on the wire
    symbols: Array      # wire bytes without START and END
    open: list[list[Piece]]


class Rows(NamedTuple):
    """Records, by lane, in their order."""

    frame: Array
    id: Array
    time: Array         # low bits
    bits: Array
    start: Array        # of the arguments
    end: Array


def take(session: Session, data: bytes, at: int) -> Optional[Block]:
    """The lines of these bytes; None if the careful path must read them."""
    if session.base.origin is None or session.lookup is None or not session.base.khz:
        return None
    try:
        frames = _frames(session, data, at)
        syncs = _syncs(session, frames)
        rows = _rows(frames)
        ticks, latest = _times(session, frames, rows, syncs)
        text, size = bulktext.lines(session, frames, rows, ticks)
    except (Unclean, ValueError):
        return None
    _commit(session, frames, rows, size, latest)
    return Block(text=text, count=len(rows.id))


def _frames(session: Session, data: bytes, at: int) -> Frames:
    lanes = session.lanes
    p, start, end = lanes.p, lanes.start, lanes.end
    before = b"".join(_raw(frame, p, start) for stack in lanes.open for frame in stack)
    if any(len(stack) > 1 for stack in lanes.open):
        raise Unclean
    wire_bytes = np.frombuffer(before + data, dtype=np.uint8)
    tags = wire_bytes >> p if lanes.t else np.zeros(len(wire_bytes), dtype=np.uint8)
    order = np.argsort(tags, kind="stable")
    symbols = (wire_bytes & start)[order]
    edges = np.zeros((1 << lanes.t) + 1, dtype=np.int64)
    np.cumsum(np.bincount(tags, minlength=1 << lanes.t), out=edges[1:])
    marks = np.flatnonzero(symbols >= end)
    if not len(marks):
        raise Unclean
    begins = symbols[marks] == start
    lane = tags[order[marks]].astype(np.int64)
    # On each lane: START first, then END and START by turns, no byte between END and START
    first = np.diff(lane, prepend=-1) != 0
    last = np.diff(lane, append=-1) != 0
    spoken = np.flatnonzero(np.diff(edges))
    if not np.array_equal(lane[first], spoken) or (marks[first] != edges[spoken]).any():
        raise Unclean
    if not begins[first].all() or (begins[1:] == begins[:-1])[~first[1:]].any():
        raise Unclean
    behind = np.append(marks[1:], 0)
    behind[last] = edges[lane[last] + 1]
    if (behind != marks + 1)[~begins].any():
        raise Unclean
    still_open = begins & last
    whole = np.flatnonzero(begins & ~last)
    if not len(whole):
        raise Unclean
    counts = marks[whole + 1] - marks[whole] - 1
    if counts.min() < 1 or counts.max() > max_symbols(p):
        raise Unclean
    keep = np.ones(len(symbols), dtype=bool)
    keep[marks[begins]] = False
    opened: list[list[Piece]] = [[] for _ in lanes.open]
    where = None
    for i in np.flatnonzero(still_open).tolist():
        one, begin, stop = int(lane[i]), int(marks[i]), int(edges[lane[i] + 1])
        keep[begin:stop] = False
        if where is None:
            old = [frame.positions() for stack in lanes.open for frame in stack]
            where = np.concatenate(old + [np.arange(at, at + len(data))])
        opened[one].append(_piece(one, symbols[begin:stop].tobytes()[1:], where[order[begin:stop]], p))
    out, place, size = unpack(symbols[keep], counts + 1, p)
    if size.min() < 3 or size.max() > wire.FRAME_MAX:
        raise Unclean
    check_crcs(out, place, size, lane[whole])
    head = out[place].astype(np.int64)
    return Frames(out, place + 1, place + size - 2, lane[whole] << 2 | head >> 6, head >> 4 & 3, head & 15,
                  order[marks[whole + 1]], counts + 2, opened)


def _raw(frame: Piece, p: int, start: int) -> bytes:
    tag = frame.lane << p & 255
    return bytes([tag | start]) + bytes([tag | symbol for symbol in frame.symbols])


def _piece(lane: int, symbols: bytes, positions: Array, p: int) -> Piece:
    if len(symbols) > max_symbols(p):
        raise Unclean
    context = context_of(symbols[0], p) if symbols else UNNAMED
    return Piece(lane, context, WHOLE, symbols, [(positions, 0, len(positions))])


def _syncs(session: Session, frames: Frames) -> dict[int, int]:
    """Sequence numbers in turn, counters as expected. Returns the time that each SYNC frame tells."""
    if (frames.kind > wire.KIND_SYNC).any():
        raise Unclean
    members = {}
    for group in np.unique(frames.group).tolist():
        state = session.states[group >> 2][group & 3]
        mine = members[group] = np.flatnonzero(frames.group == group)
        number = state.account.next
        if number is None or not state.account.exact or \
                (state.clock.uncertain and frames.kind[mine[0]] != wire.KIND_SYNC) or \
                (frames.seq[mine] != number + np.arange(len(mine)) & 15).any():
            raise Unclean
    out = {}
    for i in np.flatnonzero(frames.kind == wire.KIND_SYNC).tolist():
        body = records.sync(frames.data[frames.body[i]:frames.end[i]].tobytes())
        group = int(frames.group[i])
        lane, context = group >> 2, group & 3
        for c in range(context, 4):
            account = session.states[lane][c].account
            count, dropped = body.counters.get(c, (0, 0))
            before = np.searchsorted(members.get(lane << 2 | c, ()), i)
            if account.next is None or not account.exact or account.news(count - int(before), dropped) or \
                    (c == context and count != account.next + before):
                raise Unclean
        if body.identity is not None and not session.known(body.identity):
            raise Unclean
        out[i] = body.time
    return out


def _rows(frames: Frames) -> Rows:
    data = frames.data
    single = np.flatnonzero(frames.kind == wire.KIND_RECORD)
    ident, at = varints(data, frames.body[single])
    time, start = varints(data, at)
    parts = [(single, ident, time, start - at, start, frames.end[single])]
    many = np.flatnonzero(frames.kind == wire.KIND_BATCH)
    at = frames.body[many]
    if (at >= frames.end[many]).any():
        raise Unclean
    while len(many):
        ident, at = varints(data, at)
        if (at >= frames.end[many]).any():
            raise Unclean
        size = (data[at] >> wire.BATCH_TIME_BITS).astype(np.int64)
        time = (data[at] & wire.BATCH_TIME).astype(np.uint64)
        at = at + 1
        long = np.flatnonzero(size == wire.BATCH_SIZE)
        extra, at[long] = varints(data, at[long])
        if (extra > wire.FRAME_MAX).any():
            raise Unclean
        size[long] += extra.astype(np.int64)
        late = np.flatnonzero(time == wire.BATCH_TIME)
        start = at.copy()
        time[late], start[late] = varints(data, at[late])
        stop = start + size
        if (stop > frames.end[many]).any():
            raise Unclean
        parts.append((many, ident, time, start - at, start, stop))
        more = stop < frames.end[many]
        many, at = many[more], stop[more]
    columns = [np.concatenate([part[i] for part in parts]) for i in range(6)]
    if (columns[4] > columns[5]).any() or (columns[3] > 9).any():
        raise Unclean
    if len(parts) > 1:
        order = np.argsort(columns[0], kind="stable")
        columns = [column[order] for column in columns]
    columns[3] *= 7
    return Rows(*columns)


def _times(session: Session, frames: Frames, rows: Rows,
           syncs: dict[int, int]) -> tuple[Array, dict[int, int]]:
    """Each record's whole time: within a context, the smallest that fits and is not below the one before. And
    each group's latest time.
    """
    at = np.array(list(syncs), dtype=np.int64)
    frame = np.concatenate((rows.frame, at))
    low = np.concatenate((rows.time, np.array(list(syncs.values()), dtype=np.uint64)))
    mask = np.concatenate((np.uint64(1) << rows.bits.astype(np.uint64), np.zeros(len(at), np.uint64)))
    mask -= np.uint64(1)                # of a SYNC: all ones
    group = frames.group[frame]
    order = np.lexsort((frame, group))  # stable: the records of a batch keep their order
    edges = np.flatnonzero(np.diff(group[order], prepend=-1, append=-1)).tolist()
    lows, masks = low[order].tolist(), mask[order].tolist()
    out: list[int] = []
    last = {}
    for i, j in zip(edges, edges[1:]):
        one = int(group[order[i]])
        latest = session.states[one >> 2][one & 3].clock.latest or 0
        out += [latest := latest + (bits - latest & window if window else bits)
                for bits, window in zip(lows[i:j], masks[i:j])]
        last[one] = latest
    if out and max(out) >= 1 << 62:     # a SYNC whose time went back, or nonsense
        raise Unclean
    ticks = np.empty(len(order), dtype=np.int64)
    ticks[order] = out
    return ticks[:len(rows.id)], last


def _commit(session: Session, frames: Frames, rows: Rows, text: Array, latest: dict[int, int]) -> None:
    """Nothing can fail any more. `text`: bytes of each row's message."""
    session.lanes.open = frames.open
    lanes = frames.group >> 2
    many = 1 << session.lanes.t
    counts = np.bincount(lanes, minlength=many).tolist()
    wire_bytes = np.bincount(lanes, weights=frames.symbols, minlength=many).tolist()
    of_rows = lanes[rows.frame]
    lines = np.bincount(of_rows, minlength=many).tolist()
    texts = np.bincount(of_rows, weights=text, minlength=many).tolist()
    for lane in range(many):
        if counts[lane]:
            stats = session.stats.lane(lane)
            stats.frames += counts[lane]
            stats.wire_bytes += int(wire_bytes[lane])
            stats.lines += lines[lane]
            stats.text_bytes += int(texts[lane])
    for group in np.unique(frames.group).tolist():
        mine = np.flatnonzero(frames.group == group)
        i = mine[-1]
        body = frames.data[frames.body[i]:frames.end[i]].tobytes()
        state = session.states[group >> 2][group & 3]
        state.account.advance(len(mine), int(frames.kind[i]), int(frames.seq[i]), body)
        state.clock.sync(latest[group])
        session.base.sure(latest[group])
