"""`make bench`, the part on Bochs: what a boot costs under VMX and under SVM, in emulated ticks.

From the kernel's 32-bit entry to the first instruction of /init, with Braid and bare: the same kernel,
initramfs and arguments. Bochs's debugger says when both are reached, and a tick is an instruction, or a step
of a CPU that waits: figures that repeat, on whatever host.
"""

from __future__ import annotations

import re
import shutil
import subprocess

from ci import image
from ci.bochs import Bochs
from ci.machine import BOCHS_AMD, BOCHS_INTEL, Machine, on_bochs

CPUS = (1, 2, 4)
ENTRY = 0x1000000  # where both GRUB and Braid put and enter the kernel
SCRIPT = f"lb {ENTRY:#x}\nc\ndel 1\nc\nq\n"
MORE = "magic_break: enabled=1\n"
NEXT = re.compile(r"Next at t=(\d+)")
SECONDS = 600


class BochsBenchError(Exception):
    """A boot that cannot be counted; the text says why."""


def span(said: str) -> int:
    """Ticks between the two stops that the debugger reports: the first one is power-on."""
    stops = [int(ticks) for ticks in NEXT.findall(said)]
    if len(stops) != 3:
        raise BochsBenchError(f"Bochs's debugger stopped {len(stops)} times, not at power-on, kernel, /init")
    return stops[2] - stops[1]


def boot(flavour: str, cpus: int, model: str) -> int:
    """Ticks of one boot. Raises BochsBenchError, ImageError, EmulatorError."""
    machine = on_bochs(Machine("bench-bochs", flavour=flavour, cpus=cpus, extra=image.BUILD / "mark",
                               kernel_args="rdinit=/extra/mark"), model)
    where = image.BUILD / "bench-bochs"
    shutil.rmtree(where, ignore_errors=True)
    with Bochs(machine, image.build(machine, where), where, SCRIPT, MORE) as bochs:
        try:
            status = bochs.wait(SECONDS)
        except subprocess.TimeoutExpired:
            raise BochsBenchError(f"{flavour}, {cpus} CPUs: not at /init within {SECONDS} s") from None
        if status:
            raise BochsBenchError(f"{flavour}, {cpus} CPUs: {bochs.shutdown or bochs.failure}")
        return span(bochs.said)


def figures() -> dict[str, object]:
    """The keys of bench.json. Raises as boot() does."""
    rows = []
    for vendor, model in (("intel", BOCHS_INTEL), ("amd", BOCHS_AMD)):
        for cpus in CPUS:
            bare, braid = boot("bare", cpus, model), boot("braid", cpus, model)
            rows.append({"vendor": vendor, "cpus": cpus, "ratio": round(braid / bare, 3),
                         "bare_ticks": bare, "braid_ticks": braid})
            print(f"Bochs, {vendor}, {cpus} CPUs: bare {bare:,} ticks, Braid {braid:,}, {rows[-1]['ratio']}",
                  flush=True)
    return {"bochs_boot_ratio": rows}
