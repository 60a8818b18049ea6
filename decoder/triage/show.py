"""The table for people, on stdout."""
from __future__ import annotations

import time

from rich.console import Console
from rich.table import Table
from rich.text import Text as Words

from ..formats import escape
from .capture import SURENESS, Capture
from .table import Row, change, label, wilson

WIDTH = 150
VARIANTS = 4        # so many are shown
COLOURS = {"pass": "green", "hang": "red", "panic": "bold red", "reset": "yellow", "damaged": "dim"}
Previous = dict[tuple[str, str], Row]


def show(rows: list[Row], previous: Previous, compared: bool, colour: bool) -> None:
    """`compared`: there was an earlier batch, if an empty one."""
    table = Table(show_lines=True)
    table.add_column("outcome")
    table.add_column("signature", overflow="fold", min_width=50)
    table.add_column("count", justify="right")
    table.add_column("rate (95%)", justify="right")
    table.add_column("sureness")
    table.add_column("shortest; first seen", overflow="fold")
    if compared:
        table.add_column("change")
    for row in rows:
        first = "the same" if row.first == row.shortest else row.first
        cells = [row.outcome, _signature(row), _count(row), _rate(row),
                 "\n".join(f"{name} {count}" for name, count in row.sure.items()),
                 f"{row.shortest}\n  of {row.lines} lines\n{first}\n  {_day(row.when)}".rstrip()]
        if compared:
            cells.append(change(row, previous).text)
        style = COLOURS[row.outcome] if colour else ""
        table.add_row(*(Words(_escape_lines(cell)) for cell in cells), style=style)
    console = Console(force_terminal=colour, no_color=not colour, width=None if colour else WIDTH)
    console.print(table)


def notes(rows: list[Row], captures: list[Capture], previous: Previous) -> list[str]:
    """What does not fit into the table."""
    keys = {row.key for row in rows}
    out = [f"gone: {old.outcome}, {old.signature} (was {old.count}/{old.of})"
           for key, old in previous.items() if key not in keys and old.outcome not in ("pass", "damaged")]
    return out + [f"{label(one)}: {one.contradiction}" for one in captures if one.contradiction]


def reasons(captures: list[Capture]) -> list[str]:
    """A line for each capture: what it is, and why."""
    return [escape(f"{label(one)}: {one.outcome}, {_sure(one)}: {one.signature}"
                   + (f" [{'; '.join(one.why)}]" if one.why else "")) for one in captures]


def _sure(one: Capture) -> str:
    return SURENESS[one.sureness]


def _signature(row: Row) -> str:
    lines = [row.signature]
    for name, count in list(row.variants.items())[:VARIANTS]:
        lines.append(f"  {count} by {name}")
    if len(row.variants) > VARIANTS:
        lines.append(f"  and {len(row.variants) - VARIANTS} other ways")
    if row.words:
        lines.append(f"  last words: {row.words[0][:80]}")
    return "\n".join(lines)


def _count(row: Row) -> str:
    if len(row.folders) < 2:
        return str(row.count)
    return "\n".join([str(row.count), *(f"{name} {count}" for name, count in sorted(row.folders.items()))])


def _rate(row: Row) -> str:
    low, high = wilson(row.count, row.of)
    return f"{row.count / row.of:.1%}\n{low:.1%} to {high:.1%}"


def _day(when: float) -> str:
    try:
        return time.strftime("%Y-%m-%d", time.gmtime(when)) if when else ""
    except (OverflowError, ValueError, OSError):    # an archive may say anything
        return ""


def _escape_lines(text: str) -> str:
    return "\n".join(escape(line) for line in text.split("\n"))
