"""The summary of a stress campaign: signatures with rates and intervals, beside the campaign before. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Iterable, Sequence

from rich.table import Table

from ci.stress_db import Outcome
from decoder.triage.table import wilson

PASS = "pass"


@dataclass(frozen=True)
class Row:
    signature: str
    count: int
    of: int
    example: int  # the first boot that ended so
    change: str  # against the campaign before

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.count, self.of)


def key(outcome: Outcome) -> str:
    """What boots are grouped by."""
    return PASS if outcome.verdict == PASS else outcome.signature or outcome.verdict


def rows(results: Sequence[tuple[int, Outcome]], before: Iterable[tuple[int, Outcome]] = ()) -> list[Row]:
    """Passes first, then by count; at last what only the campaign before has."""
    former = Counter(key(outcome) for _, outcome in before)
    old = sum(former.values())
    now: dict[str, list[int]] = {}
    for boot, outcome in results:
        now.setdefault(key(outcome), []).append(boot)
    found = [Row(name, len(boots), len(results), boots[0],
                 change(len(boots), len(results), former[name], old))
             for name, boots in now.items()]
    found.sort(key=lambda row: (row.signature != PASS, -row.count, row.signature))
    gone = sorted(set(former) - set(now) - {PASS})
    return found + [Row(name, 0, len(results), 0, change(0, len(results), former[name], old))
                    for name in gone]


def change(count: int, of: int, former: int, old: int) -> str:
    """More or less only where the 95% intervals do not touch."""
    if not old:
        return ""
    if not former:
        return "NEW"
    was = f"was {former}/{old}"
    if not count:
        return f"gone, {was}"
    low, high = wilson(count, of)
    low_before, high_before = wilson(former, old)
    word = "more" if low > high_before else "less" if high < low_before else "same"
    return f"{word}, {was}"


def totals(results: Iterable[tuple[int, Outcome]]) -> Counter[str]:
    """The counts of all boots, added up."""
    out: Counter[str] = Counter()
    for _, outcome in results:
        out.update(outcome.counts)
    return out


def table(found: Sequence[Row]) -> Table:
    out = Table(title="How the boots ended")
    out.add_column("signature", overflow="fold")
    out.add_column("boots", justify="right")
    out.add_column("rate (95% interval)", justify="right")
    out.add_column("first", justify="right")
    out.add_column("change")
    for row in found:
        low, high = row.interval
        rate = f"{row.count / row.of:.1%} ({low:.1%} to {high:.1%})"
        out.add_row(row.signature, f"{row.count}/{row.of}", rate, str(row.example or "-"), row.change,
                    style="" if row.signature == PASS else "red")
    return out
