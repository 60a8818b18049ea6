"""`make hang-test [ONLY=REGEX]`: a CPU stops for good in each phase; the others name it, and live on.

Each row boots a machine in which one CPU stalls (core/stall.h) and another then stops the machine. Judged are
the report on the wire (CPU, phase, for how long, whom it waits for, a symbolised RIP), that each other CPU's
records go on arriving behind it, and what `decoder postmortem` makes of the machine's memory. It ends with a
table of the times, and `N passed, N failed`.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Optional

from ci import image, pause_test
from ci.autopsy import postmortem
from ci.emulator import EmulatorError
from ci.logview import Line
from ci.machine import Machine
from ci.only import only
from ci.session import Session
from decoder.postmortem.live import BRAID

DEADLINE_MS = 1000  # the shortest that Braid takes
LATE_MS = 1500  # more than that behind the deadline is late, on a host with more vCPUs than cores
STALLED = 3  # the CPU
CPUS = 4
AWAITED = rf"waiting (?P<ms>\d+) ms for cpu{STALLED}, "
DEAF = AWAITED + r"rung but took no NMI .*phase {} for \d+ ms.* guest rip 0x\w+, last host rip \w+\+"
HEARS = AWAITED + r"took the NMI but did not park .*phase {} for \d+ ms.* host rip \w+\+0x\w+ \(core/"


@dataclass(frozen=True)
class Row:
    """Where the CPU stalls, the line that must name it, and what else its stack or the dump must say."""
    where: str
    report: str
    stack: str = ""  # in the records that the stalled CPU writes from its NMI handler
    dump: tuple[str, ...] = ()
    held: bool = True  # the machine stands still
    options: str = ""  # Braid's boot options

    @property
    def name(self) -> str:
        return f"{self.where}-async" if self.options else self.where


ROWS: tuple[Row, ...] = (
    Row("guest", DEAF.format("guest"), dump=(rf"cpu{STALLED}: .*phase guest", r"last exit, 0x\w+ now")),
    Row("exit", HEARS.format("exit"), stack=r"from selftest_hypercall\+",
        dump=(rf"cpu{STALLED}: .*phase exit", "from selftest_hypercall", "exit in progress: #UD")),
    Row("log", HEARS.format("exit"), stack=r"from log_\w+\+.* \(log/",
        dump=(rf"cpu{STALLED}: .*phase exit", r"from log_\w+\+")),
    Row("parked", HEARS.format("parked"), stack=r"from quiesce_park\+",
        dump=(rf"cpu{STALLED}: .*phase parked", r"from quiesce_park\+")),
    Row("doorbell", rf"parked for (?P<ms>\d+) ms, waits for cpu{STALLED}, whose phase is quiescing for \d+ ",
        stack=r"from quiesce_begin\+", dump=(rf"cpu{STALLED}: .*phase quiescing", r"from quiesce_begin\+")),
    Row("nmi", DEAF.format("exit"), dump=(rf"cpu{STALLED}: .*phase exit", "at stall_for_good")),
    Row("pal", DEAF.format("isolated guest"), dump=(rf"cpu{STALLED}: .*phase isolated",)),
    Row("sipi", rf"cpu{STALLED} has not taken the SIPI sent (?P<ms>\d+) ms ago; phase wait-for-SIPI",
        stack=r"from start_wait_sipi\+", dump=(rf"cpu{STALLED}: .*phase wait sipi",), held=False),
    Row("sipi-taken", HEARS.format("wait-for-SIPI"), stack=r"from start_wait_sipi\+",
        dump=(rf"cpu{STALLED}: .*phase wait sipi",)),
)
# Where nothing leaves but at exits, in idle and while parked, the report and the answers must all the same.
ROWS += tuple(replace(row, options="log=async") for row in ROWS if row.where in ("exit", "doorbell"))


@dataclass
class Watch:
    """Follows one run; when all that can be seen on the wire was seen, it has the memory dumped."""
    row: Row
    core: Path
    ms: Optional[int] = None  # when the report came
    line: str = ""
    stacked: bool = False
    after: dict[int, int] = field(default_factory=dict)  # the other CPUs' records behind the report
    dumped: bool = False
    _read: int = 0

    def look(self, session: Session) -> None:
        for line in session.log.lines[self._read:]:
            self._take(line)
        self._read = len(session.log.lines)
        if not self.missing() and not self.dumped and session.qemu:
            session.qemu.qmp.command("dump-guest-memory", paging=False,
                                     protocol=f"file:{self.core.resolve()}", **BRAID)
            self.dumped = True

    def _take(self, line: Line) -> None:
        if line.cpu is None or line.level == "loss":
            return
        found = re.search(self.row.report, line.text)
        if self.ms is None and found:
            self.ms, self.line = int(found["ms"]), line.text
        elif self.ms is not None and line.cpu != STALLED:
            self.after[line.cpu] = self.after.get(line.cpu, 0) + 1
        if line.cpu == STALLED and "[NMI]" in line.text and re.search(self.row.stack, line.text):
            self.stacked = True

    def missing(self) -> str:
        if self.ms is None:
            return f"no report /{self.row.report}/"
        if self.row.stack and not self.stacked:
            return f"cpu{STALLED} does not tell its stack /{self.row.stack}/"
        silent = [cpu for cpu in range(CPUS) if cpu != STALLED and not self.after.get(cpu)]
        if silent:
            return "no record behind the report of " + ", ".join(f"cpu{cpu}" for cpu in silent)
        return ""


def judge(row: Row, watch: Watch, seen: str) -> str:
    """What is wrong, or nothing. `seen`: by postmortem."""
    why = watch.missing()
    if why:
        return why
    assert watch.ms is not None
    if row.held and not DEADLINE_MS <= watch.ms <= DEADLINE_MS + LATE_MS:
        return f"the report came after {watch.ms} ms; the deadline is {DEADLINE_MS} ms"
    waits = (rf"all of it waits for cpu{STALLED}",) if row.held else ()
    for pattern in (row.report, *row.dump, *waits):
        if not re.search(pattern, seen, re.MULTILINE):
            return f"postmortem does not say /{pattern}/; its last words: {seen[-400:]!r}"
    return ""


def run(row: Row) -> tuple[Watch, str]:
    where = image.BUILD / "hang" / row.name
    machine = Machine("hang", cpus=CPUS, options=f"test=on deadline={DEADLINE_MS} {row.options}".strip(),
                      command=f"/pal/64/stall {row.where}", deadline=120)
    session = Session(machine, where)
    watch = Watch(row, where / "vm.core")
    try:
        session.run(watch.look, stopped=lambda session: watch.dumped)
    except (image.ImageError, EmulatorError) as error:
        return watch, str(error)
    seen = postmortem(watch.core) if watch.dumped else ""
    (where / "postmortem.txt").write_text(seen)
    return watch, judge(row, watch, seen)


def main() -> int:
    failed = 0
    table = []
    rows: list[Optional[Row]] = only([*ROWS, None], lambda row: row.name if row else "pause")
    for row in rows:
        if row:
            watch, why = run(row)
            line, told = watch.line, "-" if watch.ms is None else str(watch.ms)
            table.append(f"{row.name:14} {told:>14} {sum(watch.after.values()):>22}")
        else:
            times, line, why = pause_test.run()
            table.append(f"{'pause':14} {times[0] if times else '-':>14} {'let go, it went on':>22}")
        failed += bool(why)
        print(f"{'FAIL' if why else 'ok'}  {row.name if row else 'pause'}: {why or line}", flush=True)
    print(f"{'stalled in':14} {'report, ms':>14} {'records of others after':>22} "
          f"  (deadline {DEADLINE_MS} ms)")
    print("\n".join(table))
    print(f"{len(rows) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
