"""Captures -> rows, one for each signature; rows -> JSON and back, and what changed. Pure functions."""
from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Optional

from .capture import OUTCOMES, SURENESS, Capture

FORMAT = 1
Z = 1.96            # of a 95% interval
FEATURE = 0.8       # what so many captures of a variant share is worth naming


class TableError(Exception):
    """A saved table cannot be used; the message says why."""


@dataclass
class Row:
    outcome: str
    signature: str
    count: int = 0
    of: int = 0                                                 # captures in all
    folders: dict[str, int] = field(default_factory=dict)
    sure: dict[str, int] = field(default_factory=dict)          # how sure -> captures
    variants: dict[str, int] = field(default_factory=dict)      # what led there, with what is common to it
    words: list[str] = field(default_factory=list)              # last words, the longest first
    shortest: str = ""                                          # the exemplar to read
    lines: int = 0                                              # of it
    first: str = ""                                             # the capture in which it was first seen
    when: float = 0.0                                           # seconds since 1970
    captures: list[str] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str]:
        return self.outcome, self.signature


def wilson(count: int, of: int) -> tuple[float, float]:
    """The 95% interval of a rate of which `count` in `of` were seen (Wilson's, good at 0 and for few)."""
    if not of:
        return 0.0, 1.0
    rate = count / of
    centre = rate + Z * Z / (2 * of)
    spread = Z * math.sqrt(rate * (1 - rate) / of + Z * Z / (4 * of * of))
    scale = 1 + Z * Z / of
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def rows_of(captures: list[Capture]) -> list[Row]:
    """By outcome, then by count."""
    groups: dict[tuple[str, str], list[Capture]] = {}
    for one in captures:
        groups.setdefault((one.outcome, one.signature), []).append(one)
    rows = [_row(outcome, signature, group, len(captures))
            for (outcome, signature), group in groups.items()]
    return sorted(rows, key=lambda row: (OUTCOMES.index(row.outcome), -row.count, row.signature))


def _row(outcome: str, signature: str, group: list[Capture], of: int) -> Row:
    # One that is sure makes the better exemplar
    best = min(group, key=lambda one: (-one.sureness, one.size, label(one)))
    first = min(group, key=lambda one: (one.when, label(one)))
    row = Row(outcome, signature, len(group), of, shortest=label(best), lines=best.size,
              first=label(first), when=first.when, captures=sorted(label(one) for one in group))
    for one in sorted(group, key=lambda one: -one.sureness):
        row.sure[SURENESS[one.sureness]] = row.sure.get(SURENESS[one.sureness], 0) + 1
    for one in group:
        row.folders[one.folder] = row.folders.get(one.folder, 0) + 1
    row.words = sorted({one.words for one in group if one.words}, key=lambda words: (-len(words), words))
    variants: dict[str, list[Capture]] = {}
    for one in group:
        if one.variant:
            variants.setdefault(one.variant, []).append(one)
    for name, some in sorted(variants.items(), key=lambda item: -len(item[1])):
        common = [feature for feature in dict.fromkeys(f for one in some for f in one.features)
                  if sum(feature in one.features for one in some) >= FEATURE * len(some)]
        row.variants[name + (f" ({', '.join(common)})" if common else "")] = len(some)
    return row


def label(capture: Capture) -> str:
    return f"{capture.folder}/{capture.name}" if capture.folder else capture.name


@dataclass
class Change:
    """Of a row against the table of an earlier batch."""

    text: str
    new: bool = False


def is_failure(row: Row) -> bool:
    return row.outcome not in ("pass", "damaged")


def change(row: Row, previous: dict[tuple[str, str], Row]) -> Change:
    """What became of this row. New is a failure that the earlier batch has not."""
    old = previous.get(row.key)
    if old is None:
        return Change("NEW" if is_failure(row) else "new", is_failure(row))
    before, now = wilson(old.count, old.of), wilson(row.count, row.of)
    text = f"{old.count}/{old.of}"
    if now[0] > before[1]:
        return Change(f"more, was {text}")
    if now[1] < before[0]:
        return Change(f"less, was {text}")
    return Change(f"same, was {text}")


def save(rows: list[Row]) -> dict[str, Any]:
    return {"format": FORMAT, "rows": [asdict(row) for row in rows]}


def load(data: Any) -> dict[tuple[str, str], Row]:
    """What save() made. Raises TableError."""
    if not isinstance(data, dict) or data.get("format") != FORMAT or not isinstance(data.get("rows"), list):
        raise TableError("not a table that --save wrote")
    try:
        rows = [Row(**one) for one in data["rows"]]
        if not all(0 < row.count <= row.of and math.isfinite(row.when) for row in rows):
            raise TypeError
        return {row.key: row for row in rows}
    except TypeError:
        raise TableError("a table of another version of triage: sort that batch again, with --save") from None


def merged_first(row: Row, old: Optional[Row]) -> None:
    """A signature that an earlier batch has was first seen there."""
    if old is not None and old.when <= row.when:
        row.first, row.when = old.first, old.when
