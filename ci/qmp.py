"""QEMU's control channel (QMP), by a Unix socket to which QEMU connects: no port, no race."""

from __future__ import annotations

import json
import socket
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Optional, Type

SECONDS = 10.0  # that QEMU may take to accept a command


class Qmp:
    """Listen, be connected to, command. Never waits longer than told. Whoever uses it looks at `closed`."""

    def __init__(self) -> None:
        # Not in build/: the path of a Unix socket has at most 107 bytes.
        self._dir = tempfile.TemporaryDirectory(prefix="braid-")
        self.path = Path(self._dir.name) / "qmp"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(1)
        self._socket: Optional[socket.socket] = None
        self._rest = b""
        self.shutdown: Optional[str] = None  # the reason of QEMU's SHUTDOWN event
        self.errors: list[str] = []
        self.closed = False  # by QEMU, which does so when it ends; or it takes no commands

    def __enter__(self) -> Qmp:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        for one in (self._socket, self._listener):
            if one:
                one.close()
        self._dir.cleanup()

    def accept(self, alive: Callable[[], bool], seconds: float = 30.0) -> bool:
        """Wait for QEMU to connect, as long as it is `alive`; False if it did not."""
        self._listener.settimeout(0.1)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self._socket, _ = self._listener.accept()
            except socket.timeout:
                if not alive():
                    return False
                continue
            self.command("qmp_capabilities")
            return True
        return False

    def command(self, name: str, **arguments: object) -> None:
        """Send a command; its failure, if any, comes with a later poll()."""
        if self._socket and not self.closed:
            self._socket.settimeout(SECONDS)
            try:
                self._socket.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
            except OSError:
                self.closed = True

    def poll(self) -> None:
        """Take in the events that have come."""
        while self._socket and not self.closed:
            self._socket.setblocking(False)
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.closed = True
                return
            *whole, self._rest = (self._rest + data).split(b"\n")
            for line in whole:
                self._event(json.loads(line))

    def _event(self, event: dict[str, Any]) -> None:
        if event.get("event") == "SHUTDOWN":
            self.shutdown = str(event["data"]["reason"])
        elif "error" in event:
            self.errors.append(str(event["error"].get("desc")))
