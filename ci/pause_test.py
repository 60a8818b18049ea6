"""`make hang-test ONLY=pause`: a CPU that a debugger stops is waited for, not killed.

QEMU's gdbstub lets all vCPUs run but one, which is busy in the guest, while another CPU stops the machine.
The report must come at the deadline and again; let go, the CPU parks, the stop completes, and the guest goes
on.
"""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path
from typing import Optional

from ci import image
from ci.emulator import EmulatorError
from ci.machine import Expect, Machine
from ci.session import Session
from ci.verdict import judge

DEADLINE_MS = 1000
CPUS, PAUSED = 4, 3
REPORT = re.compile(rf"waiting (\d+) ms for cpu{PAUSED}, rung but took no NMI .*phase guest for")
REPORTS = 3  # so many deadlines pass before the CPU is let go
SECONDS = 10.0


class Stub:
    """As much of gdb's remote protocol as it takes: the machine stops when we connect."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(SECONDS)
        end = time.monotonic() + SECONDS
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def send(self, packet: str) -> None:
        self._socket.sendall(f"${packet}#{sum(packet.encode()) % 256:02x}".encode())

    def ask(self, packet: str) -> str:
        """The answer, which is acknowledged."""
        self.send(packet)
        data = b""
        while not re.search(rb"\$[^#]*#..", data):
            more = self._socket.recv(4096)
            if not more:
                raise OSError("the gdbstub closed its socket")
            data += more
        self._socket.sendall(b"+")
        found = re.search(rb"\$([^#]*)#..", data)
        return found.group(1).decode() if found else ""

    def interrupt(self) -> None:
        """Stops all CPUs; the answer says which one reports."""
        self._socket.sendall(b"\x03")
        while b"#" not in self._socket.recv(4096):
            pass
        self._socket.sendall(b"+")

    def close(self) -> None:
        self._socket.close()


class Pause:
    """Called after each look at the machine: stops the CPU at the cue, and lets it go after REPORTS."""

    def __init__(self) -> None:
        self.times: list[int] = []  # of the reports, ms
        self.line = ""
        self._stub: Optional[Stub] = None
        self._over = False
        self._read = 0

    def look(self, session: Session) -> None:
        for line in session.log.lines[self._read:]:
            found = REPORT.search(line.text)
            if found:
                self.times.append(int(found[1]))
                self.line = line.text
        self._read = len(session.log.lines)
        if session.qemu is None or self._over:
            return
        if self._stub is None and any("READY" in line for line in session.console.lines):
            path = session.qemu.qmp.path.parent / "gdb"
            open_stub = f"gdbserver unix:{path},server=on,wait=off"
            session.qemu.qmp.command("human-monitor-command", **{"command-line": open_stub})
            self._stub = Stub(path)
            self._stub.ask("vCont?")
            self._stub.send("vCont;" + ";".join(f"c:{cpu + 1:x}" for cpu in range(CPUS) if cpu != PAUSED))
        elif self._stub is not None and len(self.times) >= REPORTS:
            self._over = True
            self._stub.interrupt()
            self._stub.ask("D")
            self._stub.close()


def run() -> tuple[list[int], str, str]:
    """The times of the reports, the last of them, and what is wrong, or nothing."""
    where = image.BUILD / "hang/pause"
    machine = Machine("pause", cpus=CPUS, options=f"test=on deadline={DEADLINE_MS}",
                      command="/pal/64/stall pause", deadline=120)
    pause = Pause()
    try:
        seen = Session(machine, where).run(pause.look)
    except (image.ImageError, EmulatorError, OSError) as error:
        return pause.times, pause.line, str(error)
    verdict = judge(seen, Expect(console=("QUIESCED 1",)))
    why = "" if verdict.passed else str(verdict)
    if not why and len(pause.times) < REPORTS:
        why = f"{len(pause.times)} reports /{REPORT.pattern}/, not {REPORTS}"
    return pause.times, pause.line, why
