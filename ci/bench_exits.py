"""`make bench`, the part about single services: an exit, a hypercall, a PAL's call, REG and UNREG, and
Braid's own start, on Bochs, in ticks of the TSC, which are instructions there. /pal/64/cost measures, in the
guest at CPL 3; a figure is the median.

Each machine with one CPU once with the log at its default level, and once, as that with four, with records in
the rings only (log.level=error): the difference is the wire's, some 870 ticks a byte. The limits, and the
older system beside them, are those of the project's plan; they hold for VMX with one CPU.
Run alone: `python3 -m ci.bench_exits`.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from typing import Optional

from ci import image
from ci.emulator import EmulatorError
from ci.machine import BOCHS_AMD, BOCHS_INTEL, Expect, Machine, on_bochs
from ci.session import Session
from ci.verdict import judge
from decoder import Decoder
from decoder.events import Record

COST = re.compile(r"COST (\w+) min (\d+) median (\d+)")
BOOT = re.compile(r"(\d+) ticks from the boot loader to the guest")
MEMORY = re.compile(r"(\d+) KiB of memory and (\d+) KiB of rings taken")
MODELS = {"vmx": BOCHS_INTEL, "svm": BOCHS_AMD}
QUIET = "log.level=error"
TEST_FORMAT = "TEST 0x%lx"


class ExitsBenchError(Exception):
    """A machine whose figures cannot be had; the text says why."""


@dataclass(frozen=True)
class Service:
    """A row of the table: the older system's figure, and ours at most; None: there is none."""
    key: str
    name: str
    older: Optional[int]
    limit: Optional[int]


SERVICES = (
    Service("cpuid", "CPUID exit", 3613, 300),
    Service("test", "TEST hypercall, beside the wire", 3727, 400),
    Service("call", "PAL call and return, integer and pointer", 143380, 5000),
    Service("reg", "REG of 4 pages", 760323, 40000),
    Service("unreg", "UNREG", 83325, 20000),
    Service("boot", "boot, from module entry to guest entry", 376_000_000, 10_000_000),
    Service("memory_kib", "memory in use of 8 MiB, KiB, without rings", 216 * 1024, 8 * 1024),
)


def costs(lines: list[str]) -> dict[str, int]:
    """The medians that /pal/64/cost has printed, without what measuring itself takes."""
    found = {name: int(median) for name, _, median in COST.findall("\n".join(lines))}
    empty = found.pop("nothing", 0)
    return {name: ticks - empty for name, ticks in found.items()}


def bytes_of_test(capture: bytes, decoder: Decoder) -> Optional[int]:
    """What a TEST takes on the wire: the least between it and the record before. One CPU's capture."""
    least, before = None, 0
    for at in range(len(capture)):
        for event in decoder.feed(capture[at:at + 1]):
            if not isinstance(event, Record):
                continue
            size = decoder.stats.wire_bytes - before
            before = decoder.stats.wire_bytes
            if event.format == TEST_FORMAT and (least is None or 0 < size < least):
                least = size
    return least


def measure(vendor: str, cpus: int, options: str) -> dict[str, int]:
    """One machine's figures. Raises ExitsBenchError, ImageError, EmulatorError."""
    machine = on_bochs(Machine("bench-exits", cpus=cpus, options=options, command="/pal/64/cost",
                               deadline=600), MODELS[vendor])
    session = Session(machine, image.BUILD / "bench-exits")
    verdict = judge(session.run(), Expect())
    figures = costs(session.console.lines)
    if not verdict.passed or "call" not in figures:
        raise ExitsBenchError(f"{vendor}, {cpus} CPUs: {verdict}; see {session.where}/")
    log = "\n".join(line.text for line in session.log.lines)
    boot, memory = BOOT.search(log), MEMORY.search(log)
    if boot and memory:  # they are on the wire at the default level only
        figures["boot"] = int(boot[1])
        figures["memory_kib"], figures["rings_kib"] = int(memory[1]), int(memory[2])
    if not options and cpus == 1:
        decoder = Decoder(str(image.BUILD / "braid.elf"))
        figures["test_wire_bytes"] = bytes_of_test((session.where / "com1.raw").read_bytes(), decoder) or 0
    return figures


def table(rows: list[dict[str, object]]) -> str:
    """The figures beside the older system's and the limits."""
    heads = [f"{row['vendor']} {row['cpus']}{'' if row['wire'] else ' quiet'}" for row in rows]
    lines = [f"{'ticks on Bochs':42}{'older':>12}{'at most':>12}" + "".join(f"{head:>14}" for head in heads)]
    for service in SERVICES:
        cells = "".join(f"{row.get(service.key, '-'):>14}" for row in rows)
        lines.append(f"{service.name:42}{service.older or '-':>12}{service.limit or '-':>12}{cells}")
    return "\n".join(lines)


def figures() -> dict[str, object]:
    """The keys of bench.json. Raises as measure() does."""
    rows: list[dict[str, object]] = []
    for vendor in MODELS:
        for cpus, options in ((1, ""), (1, QUIET), (4, QUIET)):
            rows.append({"vendor": vendor, "cpus": cpus, "wire": not options,
                         **measure(vendor, cpus, options)})
    print(table(rows), flush=True)
    return {"exits": rows}


def main() -> int:
    try:
        found = figures()
    except (ExitsBenchError, image.ImageError, EmulatorError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    out = image.BUILD / "bench-exits.json"
    out.write_text(json.dumps(found, indent=2) + "\n")
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
