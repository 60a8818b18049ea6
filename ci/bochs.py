"""One Bochs, headless: VMX with EPT, SVM, and a UART that loses what is overrun. Strict, and slow.

Bochs ends with status 1 whether the guest powers off, a triple fault stops the machine or Bochs panics, so
the status says nothing: its log does. A test without a guest ends by writing 'D' to port 0x8900, which stops
in Bochs's debugger, whose command file then quits with status 0.

It takes its CPUs in turn and its clock counts instructions: the same image does the same each time, whatever
else the host does.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ci.emulator import POWER_OFF, Emulator
from ci.machine import Machine

IPS = 10_000_000  # instructions that Bochs counts as a second, and ticks of its TSC
SHARE = Path("/usr/share")  # where Debian's bochsbios and vgabios put their ROMs
CONFIG = """\
config_interface: textconfig
display_library: term
plugin_ctrl: speaker=0, gameport=0, busmouse=0
cpu: model={model}, count={cpus}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest={memory}, host={memory}
romimage: file={share}/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file={share}/bochs/VGABIOS-lgpl-latest
vga: extension=vbe, update_freq=1
pci: enabled=1, chipset=i440fx
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
clock: sync=none, time0=1700000000
com1: enabled=1, mode=file, dev={where}/com1.raw
log: {where}/bochs.log
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
sound: driver=dummy
port_e9_hack: enabled=1
"""
# For a guest: Bochs has timers for 15 CPUs or for a second port, not for both.
CONSOLE = "com2: enabled=1, mode=file, dev={where}/console.raw\n"
PANIC = re.compile(r">>PANIC<< (.*)")
OFF = "ACPI control: soft power off"
# What no run may show: a state that VM entry or VMRUN refuses, a VMX instruction that failed, a byte that the
# UART lost.
OBJECTION = re.compile(r"VMENTER FAIL|VMFAIL|VMABORT|VMRUN: (?!Starting|entering|with CPL)"
                       r"|SVM: VMRUN|NCR3 reserved"
                       r"|SvmInjectEvents: (?:invalid|unsupported)"
                       r"|transmit FIFO overflow|tx hold register when not empty")


def stopped_by(log: str) -> Optional[str]:
    """Why it stopped by itself: POWER_OFF, or its last words; None: it did not."""
    found = PANIC.search(log)
    if not found:
        return None
    return POWER_OFF if found[1].strip() == OFF else found[1].strip()


def objections(log: str) -> list[str]:
    return sorted({line.split("] ", 1)[-1].strip() for line in log.splitlines() if OBJECTION.search(line)})


class Bochs(Emulator):
    """A running machine."""
    name = "Bochs"

    def __init__(self, machine: Machine, iso: Path, where: Path, script: str = "c\nq\n",
                 more: str = "") -> None:
        """`script` is for Bochs's debugger, whose first stop is power-on; `more` are lines of its set-up."""
        config = where / "bochsrc"
        ports = "" if machine.flavour == "alone" else CONSOLE.format(where=where)
        config.write_text(CONFIG.format(model=machine.cpu, cpus=machine.cpus, memory=machine.memory, ips=IPS,
                                        share=SHARE, iso=iso, where=where) + ports + more)
        commands = where / "bochs.rc"
        commands.write_text(script)
        self._out = where / "bochs.out"
        self._log = where / "bochs.log"
        self._log.unlink(missing_ok=True)
        super().__init__(where, ["bochs-bin", "-q", "-f", str(config), "-rc", str(commands)], self._out)

    def wait(self, seconds: float) -> int:
        """Its status. Raises subprocess.TimeoutExpired."""
        return self._process.wait(seconds)

    @property
    def said(self) -> str:
        """What its debugger has printed."""
        return self._out.read_text(errors="replace")

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def shutdown(self) -> Optional[str]:
        return None if self.alive() else stopped_by(self.log)

    @property
    def failure(self) -> Optional[str]:
        if self.status in (None, 0) or self.shutdown:
            return None
        return f"Bochs ended with status {self.status}: {self.said.strip()[-500:]}"

    @property
    def objections(self) -> list[str]:
        return objections(self.log)


@dataclass(frozen=True)
class Ended:
    """How a Bochs ended. `status` None: it was still running at the deadline."""
    status: Optional[int]
    wire: bytes
    log: str


def run(machine: Machine, iso: Path, where: Path) -> Ended:
    """Boot `iso`, which has no guest, and follow it to its end; what it said stays in `where`."""
    with Bochs(machine, iso, where) as bochs:
        try:
            bochs.wait(machine.deadline)
        except subprocess.TimeoutExpired:
            pass
        return Ended(bochs.status, bochs.com1.read(), bochs.log)
