"""`make uart-test`: the log's UART driver on Bochs, whose UART loses what a careless driver overruns.

A matrix: CPUs in host mode that send 20,000 tagged bytes each, without a lock; with NMIs that log too, or
without; with the FIFO, or with it turned off behind the driver's back. By the argument in log/uart.c nothing
is overrun while the contexts that send are no more than the FIFO is deep. Beyond, and with the FIFO off,
bytes are lost: then the same test must see it, or it could not see any. In some cases the driver knows that
there is no FIFO, or CPU 0 is stopped for good in the middle of a frame: then, too, the others lose nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ci import bochs, image
from ci.emulator import EmulatorError
from ci.logview import LogView
from ci.machine import BOCHS_AMD, Machine, on_bochs
from ci.only import only

BYTES = 20_000  # from each of up to 4 CPUs; more of them share what 2 send
DEPTH = 16  # of a 16550A's FIFO
OVERRUN = re.compile("transmit FIFO overflow|tx hold register when not empty")  # Bochs's words


@dataclass(frozen=True)
class Case:
    cpus: int
    test: str = "uart"  # or uart-nmi, or stopped: CPU 0 is, in a frame
    fifo: str = "on"    # or off, behind the driver's back; or none, as the driver finds it

    @property
    def name(self) -> str:
        test = {"uart": "", "uart-nmi": "-nmi", "stopped": "-stopped"}[self.test]
        fifo = {"on": "", "off": "-fifo-off", "none": "-no-fifo"}[self.fifo]
        return f"uart-{self.cpus}{test}{fifo}"

    @property
    def options(self) -> str:
        return f"test={self.test}{'' if self.fifo == 'on' else f' log.fifo={self.fifo}'}"

    @property
    def safe(self) -> bool:
        """No byte may be overrun."""
        contexts = self.cpus * (2 if self.test == "uart-nmi" else 1)
        return self.fifo == "none" or (self.fifo == "on" and contexts <= DEPTH)

    @property
    def senders(self) -> range:
        return range(1 if self.test == "stopped" else 0, self.cpus)


CASES = [Case(cpus, test, fifo)
         for cpus in (1, 2, 4, 8, 15) for test in ("uart", "uart-nmi") for fifo in ("on", "off")]
CASES += [Case(4, test, "none") for test in ("uart", "uart-nmi", "stopped")] + [Case(4, "stopped")]


def judge(case: Case, ended: bochs.Ended, log: LogView) -> str:
    """What is wrong, or nothing."""
    if ended.status is None:
        return "it did not end by itself"
    if ended.status != 0:
        return f"Bochs ended with status {ended.status}"
    overruns = len(OVERRUN.findall(ended.log))
    wrong = log.frames_lost + log.damaged + log.stray_bytes
    if overruns and not wrong:
        return f"{overruns} bytes were overrun, and the decoder saw no loss"
    if case.fifo == "off":
        return "" if wrong else "the FIFO was off, and no loss was seen"
    if case.safe and (wrong or overruns or log.dropped):
        return (f"{log.frames_lost} frames lost, {log.damaged} damaged, {log.stray_bytes} stray bytes,"
                f" {log.dropped} records not sent, {overruns} bytes overrun")
    if case.safe and log.cut != (case.test == "stopped"):
        return f"{log.cut} frames were cut"
    return _short(case, ended.wire)


def _short(case: Case, wire: bytes) -> str:
    """Which CPUs sent too little for a test."""
    tag_bits = (case.cpus - 1).bit_length()
    sent = [0] * (1 << tag_bits)
    for byte in wire:
        sent[byte >> (8 - tag_bits)] += 1
    enough = 0 if not case.safe else BYTES if case.cpus <= 4 else 2 * BYTES // case.cpus
    return ", ".join(f"cpu{cpu}: {sent[cpu]} bytes" for cpu in case.senders if sent[cpu] < enough)


def run(case: Case) -> tuple[str, str]:
    """What is wrong, or nothing; and its figures."""
    where = image.BUILD / "machines" / case.name
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    try:
        machine = on_bochs(Machine(case.name, flavour="alone", cpus=case.cpus, options=case.options),
                           BOCHS_AMD)
        ended = bochs.run(machine, image.build(machine, where), where)
    except (image.ImageError, EmulatorError) as error:
        return str(error), ""
    log = LogView(image.BUILD / "braid.elf")
    log.feed(ended.wire)
    log.close()
    why = judge(case, ended, log)
    if not why:
        shutil.rmtree(where)
    return why, (f"       {log.frames} frames arrived, {log.frames_lost} lost, {log.damaged} damaged,"
                 f" {log.stray_bytes} stray bytes, {len(OVERRUN.findall(ended.log))} overrun lines,"
                 f" {len(ended.wire)} bytes\n")


def passes(case: Case) -> bool:
    start = time.monotonic()
    why, figures = run(case)
    detail = f": {why}; see {image.BUILD / 'machines' / case.name}/" if why else ""
    word = "FAILED" if why else "ok    "
    print(f"{figures}{word} {case.name} ({time.monotonic() - start:.1f} s){detail}", flush=True)
    return not why


def main() -> int:
    cases = only(CASES, lambda case: case.name)
    with ThreadPoolExecutor(os.cpu_count()) as cores:  # Bochs has one thread, and a clock of its own
        passed = sum(cores.map(passes, cases))
    print(f"{passed} passed, {len(cases) - passed} failed")
    return 1 if passed < len(cases) else 0


if __name__ == "__main__":
    sys.exit(main())
