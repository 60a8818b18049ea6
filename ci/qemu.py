"""One QEMU, headless, as a test machine: two serial ports, and QMP."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Optional, Type

from ci import image
from ci.emulator import Emulator, EmulatorError
from ci.machine import Machine
from ci.qmp import Qmp

ENDING = 30.0  # seconds that QEMU may take to end when it has closed its control socket


def arguments(machine: Machine, iso: Path, where: Path, qmp: Path) -> list[str]:
    """QEMU's command line, with its repair (ci/qemu_repair.c)."""
    return [
        "env", f"LD_PRELOAD={(image.BUILD / 'qemu_repair.so').resolve()}",
        "qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-cpu", machine.cpu,
        "-smp", str(machine.cpus), "-m", str(machine.memory),
        "-display", "none", "-nodefaults", "-no-reboot",
        "-serial", f"file:{where / 'com1.raw'}", "-serial", f"file:{where / 'console.raw'}",
        "-chardev", f"socket,id=qmp,path={qmp}", "-mon", "chardev=qmp,mode=control",
        "-cdrom", str(iso), "-boot", "d",
    ]


class Qemu(Emulator):
    """A running machine, with its control channel."""
    name = "QEMU"

    def __init__(self, machine: Machine, iso: Path, where: Path) -> None:
        self.qmp = Qmp()
        self._stderr = where / "qemu.stderr"
        super().__init__(where, arguments(machine, iso, where, self.qmp.path), self._stderr)

    def __enter__(self) -> Qemu:
        if not self.qmp.accept(self.alive):
            self.__exit__(None, None, None)
            raise EmulatorError(f"QEMU did not start: {self.complaints() or self._process.returncode}")
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        super().__exit__(kind, error, trace)
        self.qmp.__exit__(None, None, None)

    def poll(self) -> None:
        """Raises EmulatorError if QEMU lives on without its control socket: nothing reaches it any more."""
        self.qmp.poll()
        if self.qmp.closed:
            try:
                self._process.wait(ENDING)
            except subprocess.TimeoutExpired:
                raise EmulatorError("QEMU's control socket closed") from None

    def inject_nmi(self) -> None:
        """Through LINT1, so to the CPUs whose local APIC lets it pass."""
        self.qmp.command("inject-nmi")

    @property
    def shutdown(self) -> Optional[str]:
        return self.qmp.shutdown

    @property
    def failure(self) -> Optional[str]:
        return f"QEMU ended with status {self.status}: {self.complaints()}" if self.status else None

    def complaints(self) -> str:
        """QEMU's error output, without its warnings about CPU features that it lacks."""
        lines = self._stderr.read_text(errors="replace").splitlines()
        return "; ".join(line for line in lines if "warning:" not in line)
