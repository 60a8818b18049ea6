"""One Bochs, headless: the machine with a strict UART, for what needs no guest.

A test ends well only by writing 'D' to port 0x8900, which stops in Bochs's debugger, whose command file then
quits with status 0. Bochs's own shutdown, a panic and a triple fault all end with status 1.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ci.qemu import EmulatorError

SHARE = Path("/usr/share")  # where Debian's bochsbios and vgabios put their ROMs
CONFIG = """\
config_interface: textconfig
display_library: term
plugin_ctrl: speaker=0, gameport=0, busmouse=0
cpu: model={model}, count={cpus}, ips=10000000, reset_on_triple_fault=0, ignore_bad_msrs=1
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


@dataclass(frozen=True)
class Ended:
    """How a Bochs ended. `status` None: it was still running at the deadline."""
    status: int | None
    wire: bytes
    log: str


def run(iso: Path, where: Path, cpus: int, model: str = "trinity_apu", memory: int = 256,
        deadline: float = 120.0) -> Ended:
    """Boot `iso` and follow it to its end; what it said stays in `where`."""
    config = where / "bochsrc"
    config.write_text(CONFIG.format(model=model, cpus=cpus, memory=memory, share=SHARE, iso=iso, where=where))
    commands = where / "bochs.rc"
    commands.write_text("c\nq\n")
    wire = where / "com1.raw"
    wire.unlink(missing_ok=True)
    command = ["setpriv", "--pdeathsig", "KILL", "nice", "bochs-bin", "-q", "-f", str(config),
               "-rc", str(commands)]
    # The display `term` wants a kind of terminal named, not a terminal.
    environment = {**os.environ, "TERM": "vt100"}
    status = None
    try:
        with (where / "bochs.out").open("wb") as out, subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment,
                start_new_session=True) as process:
            try:
                status = process.wait(deadline)
            except subprocess.TimeoutExpired:
                pass
            finally:
                if process.poll() is None:
                    process.kill()
    except OSError as error:
        raise EmulatorError(f"Bochs did not start: {error}; make deps installs it") from error
    log = where / "bochs.log"
    return Ended(status, wire.read_bytes() if wire.exists() else b"",
                 log.read_text(errors="replace") if log.exists() else "")
