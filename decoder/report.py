"""Statistics for people: one closing line, and a table with a row for each CPU."""
from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .events import CONTEXTS
from .stats import LaneStats, Stats

COLUMNS = {    # heading -> key of a summary
    "lines": "lines",
    "frames": "frames",
    "lost": "frames_lost",
    "in ring only": "dropped",
    "damaged": "damaged",
    "cut": "cut",
    "twice": "repeated",
    "wire bytes": "wire_bytes",
    "wire/line": "wire_bytes_per_line",
    "text/line": "text_bytes_per_line",
}


def closing(stats: Stats) -> str:
    """What was read, in one line; if it was nothing, why that may be."""
    if not stats.bytes:
        return "empty: there is nothing to decode"
    if not stats.frames:
        if stats.lines:
            return f"{stats.lines} lines that are not Braid's, {stats.foreign_bytes} foreign bytes"
        if stats.boots:
            return f"a banner, and no valid frame behind it, in {stats.bytes} bytes, {_foreign(stats)}"
        return f"no valid frame in {stats.bytes} bytes: not a capture of Braid, or at the wrong baud rate"
    total = stats.total()
    parts = [f"{total.lines} lines in {total.frames} frames"]
    parts.append(f"{total.frames_lost} frames lost{_where(stats)}")
    rare = {
        "records left in the ring only": sum(total.dropped),
        "frames damaged": total.damaged,
        "frames cut": total.cut,
        "frames came twice": total.repeated,
    }
    parts += [f"{count} {what}" for what, count in rare.items() if count]
    return ", ".join(parts + [_foreign(stats)])


def _foreign(stats: Stats) -> str:
    stray = f" ({stats.stray_bytes} no text)" if stats.stray_bytes else ""
    return f"{stats.foreign_bytes} foreign bytes{stray}"


def _where(stats: Stats) -> str:
    lost = [f"cpu{lane} {CONTEXTS[context]} {count}" for lane, one in sorted(stats.lanes.items())
            for context, count in enumerate(one.lost) if count]
    return f" ({', '.join(lost)})" if lost else ""


def table(stats: Stats, title: str, colour: bool) -> None:
    """Prints the table on stdout."""
    sums = f"{stats.bytes} bytes, {stats.boots} boots, {_foreign(stats)}"
    out = Table(title=Text(f"{title}: {sums}"))     # a name may look like rich's markup
    for column in ("CPU", *COLUMNS):
        out.add_column(column, justify="right")
    for lane, one in sorted(stats.lanes.items()):
        out.add_row(str(lane) if lane >= 0 else "?", *_row(one))
    out.add_section()
    out.add_row("all", *_row(stats.total()))
    Console(force_terminal=colour, no_color=not colour, width=None if colour else 120).print(out)


def _row(one: LaneStats) -> list[str]:
    summary = one.summary()
    values = [summary[key] for key in COLUMNS.values()]
    return [f"{value:.1f}" if isinstance(value, float) else str(value) for value in values]
