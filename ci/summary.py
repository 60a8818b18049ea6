"""The figures of a demo run, for a person (a table) and for programs (summary.json)."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Optional

from rich.table import Table

from ci.session import Session


@dataclass(frozen=True)
class Summary:
    """The keys of summary.json. None: the run did not get as far as saying it."""
    cpus: int
    loops: int
    passed32: int
    passed64: int
    frames: int
    frames_lost: int
    lines: int
    text_bytes: int  # what the lines would have been as plain text
    wire_bytes: int  # what crossed the serial line
    boot_seconds: Optional[float]  # kernel entry to /init, by the host's clock
    quiesces: Optional[int]
    exits: Optional[int]

    @property
    def all_passed(self) -> bool:
        return self.passed32 == self.passed64 == self.loops and self.frames_lost == 0

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    def table(self) -> Table:
        table = Table(title="Braid demo", show_header=False)
        table.add_row("pal_demo, 32-bit", f"{self.passed32} of {self.loops} passed")
        table.add_row("pal_demo, 64-bit", f"{self.passed64} of {self.loops} passed")
        table.add_row("CPUs", str(self.cpus))
        boot = "-" if self.boot_seconds is None else f"{self.boot_seconds:.1f} s"
        table.add_row("kernel entry to /init", boot)
        table.add_row("quiesces, exits", f"{_number(self.quiesces)}, {_number(self.exits)}")
        table.add_row("log frames", f"{self.frames:,}, {self.frames_lost:,} lost")
        if self.lines and self.wire_bytes:
            each, less = self.wire_bytes / self.lines, self.text_bytes / self.wire_bytes
            table.add_row("log lines", f"{self.lines:,}, {each:.1f} bytes each on the wire"
                                       f" ({less:.1f} times less than text)")
        return table


def _number(value: Optional[int]) -> str:
    return "-" if value is None else f"{value:,}"


GOODBYE = re.compile(r"guest powers off: (\d+) exits, (\d+) quiesces")


def _counters(session: Session) -> tuple[Optional[int], Optional[int]]:
    """Exits and quiesces, as the hypervisor's last words have them."""
    for line in reversed(session.log.lines):
        match = GOODBYE.search(line.text)
        if match:
            return int(match[1]), int(match[2])
    return None, None


def summarise(session: Session, loops: int) -> Summary:
    """Gather a finished demo's figures."""
    console, log = session.console, session.log
    boot = console.boot_seconds
    exits, quiesces = _counters(session)
    return Summary(
        cpus=session.machine.cpus, loops=loops,
        passed32=console.passed("32"),
        passed64=console.passed("64"),
        frames=log.frames, frames_lost=log.frames_lost, lines=log.own_lines, text_bytes=log.text_bytes,
        wire_bytes=log.wire_bytes, boot_seconds=None if boot is None else round(boot, 2),
        quiesces=quiesces, exits=exits)
