"""One QEMU, headless, as a test machine: COM1 and COM2 into files that are read while they grow, and QMP.

Files, not sockets, behind the ports: the guest never waits for a slow reader, and what a failed run has said
is on disk already. QEMU dies with this process (setpriv), and is killed by its own process id only.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Optional, Type

from ci.machine import Machine
from ci.qmp import Qmp


class EmulatorError(Exception):
    """The emulator itself failed; the text says how, for a person."""


class Tail:
    """A file that another process writes."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(b"")
        self._file: BinaryIO = path.open("rb")

    def read(self) -> bytes:
        """What was added since the last read."""
        return self._file.read()

    def close(self) -> None:
        self._file.close()


def arguments(machine: Machine, iso: Path, where: Path, qmp: Path) -> list[str]:
    """QEMU's command line."""
    return [
        "qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-cpu", machine.cpu,
        "-smp", str(machine.cpus), "-m", str(machine.memory),
        "-display", "none", "-nodefaults", "-no-reboot",
        "-serial", f"file:{where / 'com1.raw'}", "-serial", f"file:{where / 'console.raw'}",
        "-chardev", f"socket,id=qmp,path={qmp}", "-mon", "chardev=qmp,mode=control",
        "-cdrom", str(iso), "-boot", "d",
    ]


class Qemu:
    """A running machine; leave the `with` block and it is gone."""

    def __init__(self, machine: Machine, iso: Path, where: Path) -> None:
        self.com1 = Tail(where / "com1.raw")
        self.com2 = Tail(where / "console.raw")
        self.qmp = Qmp()
        self._stderr = where / "qemu.stderr"
        command = arguments(machine, iso, where, self.qmp.path)
        try:
            with self._stderr.open("wb") as stderr:
                self._process = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", "nice", *command],
                    stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, start_new_session=True)
        except OSError as error:
            raise EmulatorError(f"QEMU did not start: {error}; make deps installs it") from error

    def __enter__(self) -> Qemu:
        if not self.qmp.accept(self.alive):
            self.__exit__(None, None, None)
            raise EmulatorError(f"QEMU did not start: {self.complaints() or self._process.returncode}")
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if self.alive():
            self._process.kill()
        self._process.wait()
        self.qmp.__exit__(None, None, None)
        self.com1.close()
        self.com2.close()

    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def status(self) -> Optional[int]:
        """QEMU's exit status; None while it runs."""
        return self._process.poll()

    def complaints(self) -> str:
        """QEMU's error output, without its warnings about CPU features that it lacks."""
        lines = self._stderr.read_text(errors="replace").splitlines()
        return "; ".join(line for line in lines if "warning:" not in line)
