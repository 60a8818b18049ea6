"""Raw captures with the host's times: what `follow --raw FILE` keeps, and every command reads.

    16 bytes   "BRAIDRAW 1\\n" and zeros
    a chunk    u64 host time, nanoseconds since 1970 | u32 size | u32 bytes lost before it | the bytes

Little endian. A chunk is what one read of the port gave. `lost` counts bytes that could not be kept (the
disk was full). A last chunk that is not whole serves as far as it goes.
"""
from __future__ import annotations

import os
import struct
import time
from typing import Iterable, Iterator, Optional

MAGIC = b"BRAIDRAW 1\n".ljust(16, b"\0")
HEAD = struct.Struct("<QII")
SILENCE_NS = 1_000_000_000
LARGEST = 1 << 20       # bytes of a chunk: no read gives more, so a head that says so is damaged


class RawWriter:
    """Appends chunks to a new file. A disk that fills up costs what does not fit, never what stands there
    already; problem() says so once, and once more when there is room again.
    """

    def __init__(self, path: str) -> None:
        """OSError if the file exists (it may be the only capture of a hang) or cannot be made."""
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        self._size = 0          # of what is whole
        self._lost = 0          # since the last whole chunk
        self._told = ""
        self._error = ""
        self._append(MAGIC)

    def write(self, data: bytes) -> None:
        """Never raises."""
        room = (1 << 32) - 1
        if self._append(HEAD.pack(time.time_ns(), len(data), min(self._lost, room)) + data):
            self._lost = 0
        else:
            self._lost += len(data)

    def problem(self) -> Optional[str]:
        """Something that the user has to know now."""
        if self._error == self._told:
            return None
        self._told = self._error
        if self._error:
            return f"{self.path}: {self._error}: bytes are shown but not kept until there is room again"
        return f"{self.path}: there is room again, bytes are kept"

    def close(self) -> str:
        """Returns what there is to say at the end, or nothing."""
        os.close(self._file)
        if self._size <= len(MAGIC) and not self._lost:
            os.unlink(self.path)        # nothing came: it must not stand in the way of the next attempt
        return f"{self.path}: its last {self._lost} bytes could not be kept" if self._lost else ""

    def _append(self, data: bytes) -> bool:
        if not self._size and data is not MAGIC and not self._append(MAGIC):
            return False
        try:
            at = 0
            while at < len(data):
                at += os.pwrite(self._file, data[at:], self._size + at)
        except OSError as error:
            self._error = error.strerror or str(error)
            os.ftruncate(self._file, self._size)
            return False
        self._size += len(data)
        self._error = ""
        return True


class RawReader:
    """Takes the file's bytes, gives the port's. `lost`: those that the file could not keep. `damaged`: where
    in the file the first head stands that makes no sense, -1 if none does; from there on all is given as it
    is.
    """

    def __init__(self) -> None:
        self.lost = 0
        self.damaged = -1
        self._at = len(MAGIC)   # position of the first byte held
        self._held = bytearray()
        self._before: Optional[int] = None

    def chunks(self, source: Iterable[bytes]) -> Iterator[bytes]:
        """b"" stands for each silence of a second or more, as the port's own source gives it."""
        skip = len(MAGIC)
        for chunk in source:
            self._held += chunk[skip:]
            skip = max(0, skip - len(chunk))
            yield from self._whole()
            if self.damaged >= 0:
                yield bytes(self._held)
                self._held.clear()
        if len(self._held) > HEAD.size:
            yield bytes(self._held[HEAD.size:])

    def _whole(self) -> Iterator[bytes]:
        at = 0
        while self.damaged < 0 and len(self._held) - at >= HEAD.size:
            when, size, lost = HEAD.unpack_from(self._held, at)
            if size > LARGEST:
                self.damaged = self._at + at
                break
            end = at + HEAD.size + size
            if end > len(self._held):
                break
            self.lost += lost
            if self._before is not None and when - self._before >= SILENCE_NS:
                yield b""
            self._before = when
            yield bytes(self._held[at + HEAD.size:end])
            at = end
        del self._held[:at]
        self._at += at
