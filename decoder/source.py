"""Where bytes come from: a file, stdin, a pipe, a serial port, or a socket. This is the decoder's input I/O.

chunks() yields bytes as they come, and b"" each time a live input was silent for SILENCE seconds. It ends
at the end of a file and when a port goes away. Errors are SourceError, with one line that says what to do.
"""
from __future__ import annotations

import errno
import os
import queue
import re
import select
import stat
import threading
import time
from itertools import chain
from typing import Iterator, Optional, Sequence, Union

import serial

from .problem import Problem
from .rawfile import MAGIC, RawReader

SILENCE = 1.0       # seconds
WAIT = 0.05         # seconds between looks at a port that cannot be waited for
CHUNK = 1 << 16
FILE_CHUNK = 1 << 20
MAY_COME = (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO)


class SourceError(Problem):
    """The input cannot be read; the message names it and the mend. `may_come`: it may be there later."""

    def __init__(self, message: str, may_come: bool = False) -> None:
        super().__init__(message)
        self.may_come = may_come


class FileSource:
    """A file, a pipe, stdin. A raw capture (rawfile.py) gives the bytes it holds."""

    def __init__(self, name: str, descriptor: Optional[int] = None) -> None:
        """Without a `descriptor` it is a regular file, and open only while it is read: there may be more of
        them than a process can have open.
        """
        self.name = name
        self._descriptor = descriptor
        self._raw = RawReader()
        self.live = descriptor is not None and not stat.S_ISREG(os.fstat(descriptor).st_mode)

    def chunks(self) -> Iterator[bytes]:
        plain = self._plain()
        first = b""
        for data in plain:          # a pipe may give the mark of a raw capture in pieces
            first += data
            if not MAGIC.startswith(first):
                break
            if not data:
                yield b""
        whole = chain([first], plain) if first else plain
        yield from self._raw.chunks(whole) if first.startswith(MAGIC) else whole

    def notes(self) -> list[str]:
        """What there is to say about the input itself, at its end."""
        lost, damaged = self._raw.lost, self._raw.damaged
        out = [f"{self.name}: {lost} bytes are missing in it: they could not be kept"] if lost else []
        if damaged >= 0:
            out.append(f"{self.name}: damaged at byte {damaged}: from there on heads of chunks are foreign")
        return out

    def close(self) -> None:
        if self._descriptor:
            os.close(self._descriptor)
            self._descriptor = None

    def _plain(self) -> Iterator[bytes]:
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self.name, os.O_RDONLY)
            while True:
                if self.live and not select.select([self._descriptor], [], [], SILENCE)[0]:
                    yield b""
                    continue
                data = os.read(self._descriptor, CHUNK if self.live else FILE_CHUNK)
                if not data:
                    break
                yield data
        except OSError as error:
            raise SourceError(f"{self.name}: {error.strerror}") from None
        if not self.live:
            self.close()


class PortSource:
    """A serial port, or what pyserial makes one of: socket://host:port, rfc2217://host:port."""

    live = True

    def __init__(self, name: str, baud: int) -> None:
        self.name = name
        if name.startswith(("socket://", "rfc2217://")):
            port = re.search(r"//.+:(\d+)", name)
            if not port or not 0 < int(port[1][:6]) < 1 << 16:
                scheme = name.split("//")[0]
                raise SourceError(f"{name}: give host and port (1 to 65535), as in {scheme}//localhost:4555")
        try:
            self._port = serial.serial_for_url(name, baudrate=baud, timeout=0, do_not_open=True)
            # open() throws away what the peer has sent so far: of a socket or a pseudo terminal, the banner
            self._port.reset_input_buffer = self._port._reset_input_buffer = lambda: None
            self._port.open()
        except (serial.SerialException, ValueError, OSError) as error:
            may_come = not isinstance(error, ValueError)
            text = f"{name}: {_reason(error)}; is it there, and may you read it?"
            raise SourceError(text, may_come) from None

    def notes(self) -> list[str]:
        return []

    def close(self) -> None:
        self._port.close()

    def chunks(self) -> Iterator[bytes]:
        silent = 0.0
        while True:
            try:
                # One read that does not wait: pyserial's socket drops what it has read if the peer goes away
                # while the same read waits for more
                ready = self._wait()
                data = self._port.read(CHUNK)
            except (serial.SerialException, OSError, TypeError):    # TypeError: pyserial's, if it went away
                return
            if data:
                silent = 0.0
                yield data
                continue
            silent += SILENCE if not ready else WAIT
            if silent >= SILENCE:
                silent = 0.0
                yield b""

    def _wait(self) -> bool:
        """Waits until there is something to read, or for SILENCE; where pyserial has no descriptor to wait
        for, for WAIT.
        """
        try:
            descriptor = self._port.fileno()
        except (AttributeError, OSError):   # rfc2217: a thread of pyserial's reads it
            time.sleep(WAIT)
            return True
        return bool(select.select([descriptor], [], [], SILENCE)[0])


Source = Union[FileSource, PortSource]


def open_source(name: str, baud: int) -> Source:
    """`name` as a user gives it: `-`, a path, or a URL of pyserial."""
    if name == "-":
        try:
            return FileSource("stdin", 0)
        except OSError as error:        # it was closed
            raise SourceError(f"stdin: {error.strerror}") from None
    if "://" in name:
        return PortSource(name, baud)
    try:
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            raise SourceError(f"{name} is a directory: give the capture files in it")
        if stat.S_ISCHR(mode) and _is_terminal(name):
            return PortSource(name, baud)
        descriptor = os.open(name, os.O_RDONLY)
        if not stat.S_ISREG(mode):
            return FileSource(name, descriptor)
        os.close(descriptor)        # it can be read: what cannot is told before anything is shown
        return FileSource(name)
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror}", error.errno in MAY_COME) from None


def gather(sources: Sequence[Source]) -> Iterator[tuple[int, Optional[bytes]]]:
    """The chunks of several sources as (index, bytes); None when one has ended. Files come one after
    another, live ones together.
    """
    if not any(source.live for source in sources) or len(sources) == 1:
        for index, source in enumerate(sources):
            for chunk in source.chunks():
                yield index, chunk
            yield index, None
        return
    ready: queue.Queue[tuple[int, Union[bytes, SourceError, None]]] = queue.Queue(maxsize=64)

    def read(index: int, source: Source) -> None:
        try:
            for chunk in source.chunks():
                ready.put((index, chunk))
            ready.put((index, None))
        except SourceError as error:
            ready.put((index, error))

    for index, source in enumerate(sources):
        threading.Thread(target=read, args=(index, source), daemon=True).start()
    left = len(sources)
    while left:
        index, item = ready.get()
        if isinstance(item, SourceError):
            raise item
        left -= item is None
        yield index, item


def _is_terminal(name: str) -> bool:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        return os.isatty(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    """pyserial's message without the name, which stands before it, and without the number of the error."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.split(": ")[0]
    return re.sub(r"^\[Errno \d+\] ", "", str(error).split(": ")[-1])
