"""A dump as physical memory: an ELF core (QEMU's dump-guest-memory) or a raw image of RAM.

This module does I/O. The file is mapped, so that a dump of any size costs no memory of ours; pages that a
search has passed are given back. Errors are DumpError with one clear line; a dump that is cut short is read
as far as it goes.
"""
from __future__ import annotations

import mmap
import struct
from typing import Iterator, NamedTuple, Optional, Protocol

from ..problem import Problem

PT_LOAD, PT_NOTE = 1, 4
ET_CORE, X86_64, ELF64_LITTLE = 4, 62, b"\x02\x01"
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
NOT_PLAIN = {b"KDUMP   ": "a kdump-compressed dump", b"makedump": "a flattened kdump", b"\x1f\x8b": "gzipped",
             b"\xfd7zXZ": "compressed by xz", b"(\xb5/\xfd": "compressed by zstd"}
CHUNK = 64 << 20        # a search gives its pages back after so many bytes


class DumpError(Problem):
    """The dump cannot serve; the message says why, with its name."""


class Memory(Protocol):
    """Physical memory, wherever it is read from."""

    def read(self, address: int, size: int) -> bytes:
        """What there is from `address` on: fewer bytes than `size`, or none, where the memory ends."""


class Range(NamedTuple):
    start: int          # physical address
    size: int
    offset: int         # in the file


class Dump:
    """A dump file. `kind` is what it is, for people; `notes` the ELF core's notes, raw."""

    def __init__(self, path: str, base: int = 0) -> None:
        """`base`: physical address of a raw image's first byte. Raises DumpError."""
        self.path = path
        self.notes = b""
        try:
            with open(path, "rb") as stream:
                self._data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise DumpError(f"{path} is empty: no memory was dumped") from None
        except OSError as error:
            raise DumpError(f"{path}: {error.strerror or error}") from None
        for magic, what in NOT_PLAIN.items():
            if self._data[:len(magic)] == magic:
                raise DumpError(f"{path} is {what}: give a plain ELF core or a raw image of RAM")
        self.kind = "ELF core"
        self.ranges = self._core()
        if not self.ranges:
            self.kind = "raw image"
            self.ranges = [Range(base, len(self._data), 0)]

    def read(self, address: int, size: int) -> bytes:
        out = b""
        while size > 0:
            piece = self._piece(address, size)
            if not piece:
                break
            out += piece
            address += len(piece)
            size -= len(piece)
        return out

    def _piece(self, address: int, size: int) -> bytes:
        for start, length, offset in self.ranges:
            at = address - start
            if 0 <= at < length:
                return self._data[offset + at:offset + at + min(size, length - at)]
        return b""

    def find(self, magic: bytes, align: int) -> Iterator[int]:
        """The addresses, divisible by `align`, at which `magic` stands."""
        size = len(magic)
        data = self._data
        for start, length, offset in self.ranges:
            kept = 0
            for at in range(-start % align, length, align):
                where = offset + at
                if data[where:where + size] == magic:
                    yield start + at
                if where - kept >= CHUNK:
                    kept = self._forget(kept, where)

    def _forget(self, start: int, end: int) -> int:
        """Gives back the pages behind a search; returns where the next ones begin."""
        page = mmap.PAGESIZE
        start, end = start // page * page, end // page * page
        if hasattr(mmap, "MADV_DONTNEED"):
            self._data.madvise(mmap.MADV_DONTNEED, start, end - start)
        return end

    def _core(self) -> list[Range]:
        """The memory of an ELF core, as far as the file holds it; empty if it is none."""
        data = self._data
        if data[:4] != b"\x7fELF" or len(data) < HEADER.size:
            return []
        ident, kind, machine, _, _, at, _, _, _, entry, count, *_ = HEADER.unpack(data[:HEADER.size])
        if ident[4:6] != ELF64_LITTLE or machine != X86_64:
            raise DumpError(f"{self.path} is no ELF file of a 64-bit x86 machine")
        if kind != ET_CORE:
            raise DumpError(f"{self.path} is an ELF program: give it with --elf, and the dump as DUMP")
        found = []
        for i in range(count):
            header = data[at + i * entry:at + i * entry + SEGMENT.size]
            if entry < SEGMENT.size or len(header) < SEGMENT.size:
                break
            kind, _, offset, _, address, size, _, _ = SEGMENT.unpack(header)
            if offset + size > len(data):
                size = max(0, len(data) - offset)
                self.kind = "ELF core, cut short"
            if kind == PT_NOTE:
                self.notes += data[offset:offset + min(size, 1 << 20)]
            elif kind == PT_LOAD and size:
                found.append(Range(address, size, offset))
        if not found:
            raise DumpError(f"{self.path} is an ELF core that holds no memory")
        return found


class Registers(NamedTuple):
    """What a CPU's note in an ELF core says; what a backtrace needs."""

    rip: int
    rsp: int
    rbp: int
    gs_base: int


def registers(notes: bytes) -> list[Registers]:
    """Of each CPU, in the order of the notes (QEMU: of its CPUs)."""
    found = []
    at = 0
    while at + 12 <= len(notes):
        names, size, kind = struct.unpack_from("<III", notes, at)
        name = notes[at + 12:at + 12 + names]
        body = at + 12 + (names + 3 & ~3)
        status = _status(notes[body:body + size]) if kind == 1 and name.rstrip(b"\0") == b"CORE" else None
        if status is not None:
            found.append(status)
        at = body + (size + 3 & ~3)
    return found


def _status(status: bytes) -> Optional[Registers]:
    """NT_PRSTATUS of x86-64: 27 registers from byte 112 on, in the order of Linux's user_regs_struct."""
    if len(status) < 112 + 27 * 8:
        return None
    regs = struct.unpack_from("<27Q", status, 112)
    return Registers(rip=regs[16], rsp=regs[19], rbp=regs[4], gs_base=regs[22])
