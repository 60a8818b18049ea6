"""Many records -> lines, call site by call site: a column for each argument, then one % for each row.

A call site whose rows cannot be made this way (strings with a width, arguments of another type than the
conversion's, payloads that do not fit) goes through Session.text_of(), row by row, as on the careful path.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional, Sequence

import numpy as np

from . import wire
from .formats import Signed, Site, Text, Unsigned, character, escape, plain, pointer
from .records import SIGNED, Raw
from .render import LETTERS, MARKS
from .vector import Array, Unclean, every_varint

if TYPE_CHECKING:
    from .bulk import Frames, Rows
    from .session import Session

PREFIX = tuple(f" cpu{lane:<2} {mark:5} " for lane in range(1 << wire.MAX_TAG_BITS) for mark in MARKS)
PREFIX_SIZE = len(PREFIX[0])
TIME_SIZE = 13
LATEST = 99_999.0       # seconds that TIME_SIZE holds for sure
Columns = list[Sequence[object]]


def lines(session: Session, frames: Frames, rows: Rows, ticks: Array) -> tuple[str, Array]:
    """The text in the order of the wire, and the bytes of each row's message (a line feed included)."""
    count = len(rows.id)
    seconds = session.base.column(ticks)
    if count and (seconds.max() > LATEST or seconds.min() < -LATEST / 10):
        raise Unclean
    if count and rows.id.max() > 0xFFFF:
        raise Unclean
    order = np.argsort(rows.id.astype(np.uint16), kind="stable")    # 16 bits: numpy sorts those by radix
    ids = rows.id[order]
    edges = np.flatnonzero(np.append(True, ids[1:] != ids[:-1])).tolist() + [count] if count else []
    prefixes = [PREFIX[group] for group in frames.group[rows.frame[order]].tolist()]
    times = seconds[order].tolist()
    sizes = np.zeros(count, dtype=np.int64)
    texts: list[str] = []       # by site
    raw = frames.data.tobytes()
    known = every_varint(frames.data)
    for i, j in zip(edges, edges[1:]):
        mine = order[i:j]
        ident = int(ids[i])
        site = session.lookup(ident) if ident and session.lookup is not None else None
        made = None
        if site is not None:
            made = _quick(site, known, raw, rows.start[mine], rows.end[mine], times[i:j], prefixes[i:j])
        text, sizes[mine] = made or _slow(session, frames, rows, ticks, raw, mine.tolist())
        texts += text
    place = np.empty(count, dtype=np.int64)
    place[order] = np.arange(count)
    place = place[np.argsort(frames.order[rows.frame], kind="stable")]
    return "".join(map(texts.__getitem__, place.tolist())), sizes


def _slow(session: Session, frames: Frames, rows: Rows, ticks: Array, raw: bytes,
          mine: list[int]) -> tuple[list[str], Array]:
    texts, sizes = [], []
    for row in mine:
        record = Raw(int(rows.id[row]), int(rows.time[row]), int(rows.bits[row]),
                     raw[int(rows.start[row]):int(rows.end[row])])
        group = int(frames.group[rows.frame[row]])
        text, size = session.text_of(group >> 2, group & 3, int(ticks[row]), record)
        texts.append(text + "\n")
        sizes.append(size)
    return texts, sizes


def _quick(site: Site, known: tuple[Array, Array], raw: bytes, at: Array, end: Array, seconds: list[float],
           prefixes: list[str]) -> Optional[tuple[list[str], Array]]:
    """All rows of a site; None if they must go one by one."""
    template, converts = site.template()
    if template is None or len(converts) != len(site.types):
        return None
    place = site.function + ": " if site.function else ""
    head = f"{LETTERS[site.level]} {place}".replace("%", "%%")
    columns: Columns = [seconds, prefixes]
    is_ascii = True
    for kind, convert in zip(site.types, converts):
        value, at = known[0][at], known[1][at]
        if kind == wire.TYPE_STRING:
            size = (value >> np.uint64(1)).astype(np.int64)
            if not isinstance(convert, Text) or (size > wire.FRAME_MAX).any():
                return None
            begin, at = at, at + size
            column = _strings(raw, begin.tolist(), at.tolist(), (value & np.uint64(1)).tolist())
            is_ascii = is_ascii and all(map(str.isascii, column))
            columns.append(column)
        else:
            if kind in SIGNED:
                value = value >> np.uint64(1) ^ np.uint64(0) - (value & np.uint64(1))
            made = _integers(value, convert)
            if made is None:
                return None
            is_ascii = is_ascii and convert is not character
            columns.append(made)
        if (at > end).any():
            return None         # and no place is beyond the data
    if (at != end).any():
        return None
    make = ("%13.6f%s" + head + template + "\n").__mod__
    texts = list(map(make, zip(*columns)))
    extra = TIME_SIZE + PREFIX_SIZE + 2 + len(place)
    if is_ascii and template.isascii():
        return texts, np.fromiter(map(len, texts), np.int64, len(texts)) - extra
    return texts, [len(text[extra:].encode()) for text in texts]


def _strings(raw: bytes, begin: list[int], end: list[int], truncated: list[int]) -> list[str]:
    known: dict[bytes, str] = {}
    out = []
    for i, j, cut in zip(begin, end, truncated):
        data = raw[i:j]
        text = known.get(data)
        if text is None:
            text = known[data] = escape(plain(data))
        out.append(text + "..." if cut else text)
    return out


def _integers(value: Array, convert: Callable[..., object]) -> Optional[Sequence[object]]:
    """A column of u64 as the conversion wants it."""
    if isinstance(convert, Unsigned):
        return list((value & np.uint64(convert.mask)).tolist())
    if isinstance(convert, Signed):
        if convert.bits == 64:
            return list(value.view(np.int64).tolist())
        low = (value & np.uint64((1 << convert.bits) - 1)).astype(np.int64)
        half = 1 << convert.bits - 1
        return list(((low ^ half) - half).tolist())
    if convert is pointer:
        return list(map(hex, value.tolist()))
    if isinstance(convert, Text):
        return None         # a number where a string belongs
    return [escape(str(convert(one))) for one in value.tolist()]
