"""`make uart-test`: the log's UART driver on Bochs, whose UART loses what a careless driver overruns.

Four CPUs in host mode send 20,000 tagged bytes each, without a lock. The driver must lose nothing; with the
FIFO turned off behind its back, the same test must report losses, or it could not see any.
"""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass

from ci import bochs, image
from ci.logview import LogView
from ci.machine import Machine
from ci.qemu import EmulatorError

CPUS = 4
BYTES = 20_000


@dataclass(frozen=True)
class Case:
    name: str
    options: str
    loses: bool


CASES = (Case("uart-fifo", "test=uart", False), Case("uart-no-fifo", "test=uart log.fifo=off", True))


def judge(case: Case, ended: bochs.Ended, log: LogView) -> str:
    """What is wrong, or nothing."""
    if ended.status is None:
        return "it did not end by itself"
    if ended.status != 0:
        return f"Bochs ended with status {ended.status}"
    wrong = log.frames_lost + log.damaged
    if case.loses:
        return "" if wrong else "the FIFO was off, and no loss was seen"
    if wrong:
        return f"{log.frames_lost} frames lost, {log.damaged} damaged"
    tag_bits = (CPUS - 1).bit_length()
    sent = [0] * (1 << tag_bits)
    for byte in ended.wire:
        sent[byte >> (8 - tag_bits)] += 1
    short = [f"cpu{cpu}: {count} bytes" for cpu, count in enumerate(sent[:CPUS]) if count < BYTES]
    return ", ".join(short)


def run(case: Case) -> str:
    where = image.BUILD / "machines" / case.name
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    try:
        iso = image.build(Machine(case.name, flavour="alone", options=case.options), where)
        ended = bochs.run(iso, where, CPUS)
    except (image.ImageError, EmulatorError) as error:
        return str(error)
    log = LogView(image.BUILD / "braid.elf")
    log.feed(ended.wire)
    log.close()
    why = judge(case, ended, log)
    if not why:
        print(f"       {log.frames} frames arrived, {log.frames_lost} lost, {log.damaged} damaged,"
              f" {len(ended.wire)} bytes")
        shutil.rmtree(where)
    return why


def main() -> int:
    failed = 0
    for case in CASES:
        start = time.monotonic()
        why = run(case)
        failed += bool(why)
        detail = f": {why}; see {image.BUILD / 'machines' / case.name}/" if why else ""
        word = "FAILED" if why else "ok    "
        print(f"{word} {case.name} ({time.monotonic() - start:.1f} s){detail}", flush=True)
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
