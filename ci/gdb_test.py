"""`make gdb-test`: gdb reads the rings and the CPUs of a machine while it works, and the machine goes on.

The gdbstub is opened when the CPUs are at work, whatever they have mapped then; the records that gdb shows
must be on the wire, those of each CPU. The last line is `N passed, N failed`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from ci import image
from ci.emulator import EmulatorError
from ci.machine import Machine
from ci.qemu import Qemu
from ci.wire import CUE, KEPT, WORK, Failure, Wire, elf
from decoder import Record
from decoder.postmortem.live import BRAID

SCRIPT = Path(__file__).parent.parent / "decoder/gdb_braid.py"
GDB_SECONDS = 60
KERNEL = 0xFFFFFFFF81000000  # where Linux has its code with nokaslr, in each of its processes
HIDDEN = BRAID["begin"]  # no nested table maps it
# What the commands must say. The kernel's code is at 16 MiB, in pages of 2 MiB, and executable.
TABLES = (
    r"^cpu1: SVM, phase [a-z]+; last exit: .+\(0x[0-9a-f]+\)$", r"^  rax +0x[0-9a-f]{16}  rcx ",
    r"^  efer 0x[0-9a-f]*d01  cr4 0x", r"^guest tables \(long\) at 0x[0-9a-f]+, address 0xffffffff81000000$",
    r"^  PD   at 0x[0-9a-f]+: 0x[0-9a-f]{16} r[w-]x supervisor$",
    r"^  -> guest-physical 0x1000000, page of 2048 KiB$",
    r"^  -> memory at 0x1000000, page of (4|2048|1048576) KiB$", r"^  -> memory at 0x100000, page of ",
    r"nested tables at 0x[0-9a-f]+, guest-physical 0x7800000$(\n  P.*)+not present$\n  -> no page$",
    r"^usage: braid-nested GPA \[CPU\]$")


def gdb(socket: Path) -> str:
    """What gdb says. Raises Failure."""
    commands = (f"file {elf().resolve()}", f"target remote {socket}", f"source {SCRIPT}", "braid-log",
                "braid-cpus", "braid-vcpu 1", f"braid-walk {KERNEL:#x} 1", "braid-nested 0x100000",
                f"braid-nested {HIDDEN:#x} 2", "braid-nested", "detach")
    line = ["gdb", "-q", "-nx", "-batch"] + [word for command in commands for word in ("-ex", command)]
    try:
        ended = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.STDOUT, errors="replace", timeout=GDB_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"gdb: {error}") from error
    return ended.stdout


def run(where: Path) -> str:
    """Raises Failure, EmulatorError, ImageError."""
    machine = Machine("gdb", command="/pal/demo", loops=100000, deadline=120.0)
    iso = image.build(machine, where)
    wire = Wire()
    with Qemu(machine, iso, where) as qemu:
        end = time.monotonic() + machine.deadline
        console = b""
        while CUE.encode() not in console:
            time.sleep(0.05)
            console += qemu.com2.read()
            if time.monotonic() > end or not qemu.alive():
                raise Failure(f"the demo does not start; the console's last words: {console[-200:]!r}")
        time.sleep(WORK)
        socket = qemu.qmp.path.parent / "gdb"
        open_stub = f"gdbserver unix:{socket},server=on,wait=off"
        qemu.qmp.command("human-monitor-command", **{"command-line": open_stub})
        time.sleep(0.5)
        said = gdb(socket)
        wire.feed(qemu.com1.read())
        line = judge(said, wire, machine.cpus)
        time.sleep(WORK)
        if not qemu.com1.read():
            raise Failure("the machine does not go on after gdb has left")
    return line


def judge(said: str, wire: Wire, cpus: int) -> str:
    """A line about what was found. Raises Failure."""
    sent = {f"{event.function}: {event.message}" for event in wire.events if isinstance(event, Record)}
    total = 0
    for cpu in range(cpus):
        lines = re.findall(rf"^ +\d+\.\d+ cpu{cpu} {{6,}}[EWI] (.*)$", said, re.MULTILINE)
        strange = [line for line in lines[-KEPT:] if line not in sent]
        if not lines or strange:
            raise Failure(f"cpu{cpu}: {len(lines)} records in gdb, of which not on the wire: {strange[:3]}; "
                          f"gdb's last words: {said[-300:]!r}")
        if not re.search(rf"^cpu{cpu}: apic \d+, running, phase [a-z]+ since", said, re.MULTILINE):
            raise Failure(f"gdb does not know cpu{cpu}'s phase")
        total += len(lines)
    for pattern in TABLES:
        if not re.search(pattern, said, re.MULTILINE):
            raise Failure(f"gdb does not say /{pattern}/; its last words: {said[-1500:]}")
    if not re.search(r"^quiesce", said, re.MULTILINE):
        raise Failure("gdb does not know the quiesce")
    return f"{total} records and {cpus} CPUs in gdb"


def main() -> int:
    try:
        print(f"ok  gdb on a live machine: {run(image.BUILD / 'gdb')}")
    except (Failure, EmulatorError, image.ImageError) as error:
        print(f"FAIL  gdb on a live machine: {error}\n0 passed, 1 failed")
        return 1
    print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
