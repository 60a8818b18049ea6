"""What a run wants of an emulator, whichever it is: ci/qemu.py, ci/bochs.py.

Files, not sockets, behind the ports: the guest never waits for a slow reader, and what a failed run has said
is on disk already. An emulator dies with this process (setpriv), and is killed by its own process id only.
"""

from __future__ import annotations

import os
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Optional, Type, TypeVar

POWER_OFF = "guest-shutdown"  # the reason of an end that the guest asked for, in QEMU's words
Self = TypeVar("Self", bound="Emulator")


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


class Emulator(ABC):
    """A running machine; leave the `with` block and it is gone. COM1 is the log's, COM2 the console's."""
    name: str

    def __init__(self, where: Path, command: list[str], said: Path) -> None:
        """Start `command`, whose output goes to the file `said`."""
        self.com1 = Tail(where / "com1.raw")
        self.com2 = Tail(where / "console.raw")
        # Bochs's display `term` wants a kind of terminal named, not a terminal.
        environment = {**os.environ, "TERM": "vt100"}
        try:
            with said.open("wb") as out:
                self._process = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", "nice", *command], stdin=subprocess.DEVNULL,
                    stdout=out, stderr=out, env=environment, start_new_session=True)
        except OSError as error:
            raise EmulatorError(f"{self.name} did not start: {error}; make deps installs it") from error

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if self.alive():
            self._process.kill()
        self._process.wait()
        self.com1.close()
        self.com2.close()

    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def status(self) -> Optional[int]:
        """Its exit status; None while it runs."""
        return self._process.poll()

    def poll(self) -> None:
        """Take in what it has reported by itself."""

    def inject_nmi(self) -> None:
        raise EmulatorError(f"{self.name} injects no NMIs from outside")

    @property
    @abstractmethod
    def shutdown(self) -> Optional[str]:
        """Why the machine ended: POWER_OFF or another reason; None: it has not."""

    @property
    @abstractmethod
    def failure(self) -> Optional[str]:
        """How the emulator itself failed, once it has ended; None: it did not."""

    @property
    def objections(self) -> list[str]:
        """What it found wrong with what the hypervisor did, once it has ended."""
        return []
