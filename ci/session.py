"""Run one machine from power-on to its end, and keep what it said.

Left behind in its directory: com1.raw (the wire), console.txt, log.txt (decoded), boot.iso, and
qemu.stderr or bochs.log. Of a QEMU that hung, vm.core and postmortem.txt, too.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, Optional

from ci import image
from ci.autopsy import autopsy
from ci.bochs import Bochs
from ci.console import Console
from ci.emulator import Emulator, EmulatorError
from ci.logview import LogView
from ci.machine import Machine, Nmis
from ci.qemu import Qemu
from ci.verdict import Seen

POLL = 0.02  # seconds; the resolution of every time that the host's clock takes
SILENCE = 0.5  # seconds without a byte after which the decoder shows what it holds back
LINGER = 1.5  # seconds that a machine which should have stopped is watched further


class Session:
    """A run in progress and, afterwards, what was seen of it."""

    def __init__(self, machine: Machine, where: Path) -> None:
        self.machine = machine
        self.where = where
        self.console = Console()
        self.log = LogView(image.BUILD / "braid.elf")
        self.seconds = 0.0  # since power-on
        self.qemu: Optional[Qemu] = None  # while it runs, if it is one, for what `watch` wants of it
        self._heard: Optional[float] = None  # when the last byte came, if the decoder may hold some back
        self._actions = [Injection(action) for action in machine.actions]
        self._timed_out = False
        self._shutdown: Optional[str] = None
        self._objections: list[str] = []

    def run(self, watch: Callable[[Session], None] = lambda session: None,
            stopped: Callable[[Session], bool] = lambda session: False) -> Seen:
        """Boot and follow the machine to its end, its deadline, or LINGER after `stopped` first says so.

        `watch` is called after each look at the machine. Errors: ImageError, EmulatorError.
        """
        iso = image.build(self.machine, self.where)
        start = time.monotonic()
        until = start + self.machine.deadline
        lingering = False
        with start_emulator(self.machine, iso, self.where) as emulator:
            self.qemu = emulator if isinstance(emulator, Qemu) else None
            alive = True
            while alive:
                time.sleep(POLL)
                alive = emulator.alive()  # before the reads: what it said last is still read
                now = time.monotonic()
                self._take(emulator, now)
                self.seconds = now - start
                watch(self)
                for action in self._actions:
                    action.step(emulator, self.console, now)
                if alive and not lingering and stopped(self):
                    lingering, until = True, now + LINGER
                if alive and now >= until:
                    self._timed_out = not lingering
                    if self._timed_out and self.qemu:
                        autopsy(self.qemu, self.where)
                    break
            self.qemu = None
            emulator.poll()
            if emulator.failure:
                raise EmulatorError(emulator.failure)
            self._shutdown, self._objections = emulator.shutdown, emulator.objections
        self._close()
        watch(self)
        return self.seen()

    @property
    def injected(self) -> int:
        """NMIs, so far."""
        return sum(action.done for action in self._actions)

    def seen(self) -> Seen:
        return Seen(
            console=self.console.lines, log=[line.text for line in self.log.lines],
            result=self.console.result, guest_started=self.console.entry_at is not None,
            shutdown=self._shutdown, objections=self._objections, timed_out=self._timed_out,
            not_injected=sum(action.left for action in self._actions),
            frames_lost=self.log.frames_lost, panic=self.console.panic)

    def _take(self, emulator: Emulator, now: float) -> None:
        self.console.feed(emulator.com2.read(), now)
        wire = emulator.com1.read()
        if wire:
            self.log.feed(wire)
            self._heard = now
        elif self._heard and now - self._heard > SILENCE:
            self.log.idle()
            self._heard = None
        emulator.poll()

    def _close(self) -> None:
        self.console.close(time.monotonic())
        self.log.close()
        (self.where / "console.txt").write_text("".join(f"{line}\n" for line in self.console.lines))
        (self.where / "log.txt").write_text("".join(f"{line}\n" for line in self.log.lines))
        (self.where / "console.raw").unlink(missing_ok=True)


def start_emulator(machine: Machine, iso: Path, where: Path) -> Emulator:
    """Power on. The machine says which emulator."""
    return Bochs(machine, iso, where) if machine.emulator == "bochs" else Qemu(machine, iso, where)


class Injection:
    """An Nmis action in progress."""

    def __init__(self, action: Nmis) -> None:
        self._action = action
        self.left = action.count
        self.done = 0
        self._due: Optional[float] = None  # unknown before the cue
        self._read = 0  # lines of the console

    def step(self, emulator: Emulator, console: Console, now: float) -> None:
        """Inject what is due at `now`; nothing before the cue, and never two in a rush."""
        new, self._read = console.lines[self._read:], len(console.lines)
        if self._due is None:
            if not any(self._action.after in line for line in new):
                return
            self._due = now
        elif self._action.until and any(self._action.until in line for line in new):
            self._due = float("inf")
        if now >= self._due and (self.left or self._action.until):
            emulator.inject_nmi()
            self.done += 1
            self.left -= bool(self.left)
            self._due = now + self._action.every
