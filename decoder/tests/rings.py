"""A writer of the log's memory and of dumps, for tests: written from log/FORMAT.md ("Memory") alone, and
sharing nothing with the decoder.
"""
from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Sequence

from .encode import BUILD, crc

MAGIC = b"BRAIDLOG"
SLOTS = (8, 4, 2, 2)
PAGE = 4096
SLOT = 128
AT = 0x8000000
KHZ = 1_000_000         # a TSC tick is a nanosecond


@dataclass
class Ring:
    """What one context wrote: record n stands at records[n - 1]."""

    records: list[bytes] = field(default_factory=list)
    serial: int = 0

    def write(self, tsc: int, payload: bytes, ident: int = 0, level: int = 2, wire: bool = True) -> None:
        self.serial += wire
        head = struct.pack("<QQIHBB", len(self.records) + 1, tsc, self.serial, ident, len(payload),
                           level | (0 if wire else 0x80))
        self.records.append((head + payload).ljust(SLOT, b"\0"))

    def text(self, tsc: int, text: str) -> None:
        self.write(tsc, b"\2" + text.encode())

    def image(self, slots: int) -> bytearray:
        out = bytearray(slots * SLOT)
        for n, record in enumerate(self.records, 1):
            out[n % slots * SLOT:n % slots * SLOT + SLOT] = record
        return out


@dataclass
class Boot:
    epoch: int
    cpus: int = 3
    build: bytes = BUILD
    khz: int = KHZ
    rings: dict[tuple[int, int], Ring] = field(default_factory=dict)

    def ring(self, cpu: int, context: int = 0) -> Ring:
        return self.rings.setdefault((cpu, context), Ring())

    def image(self, slots: Sequence[int]) -> bytes:
        parts = [self.ring(cpu, c).image(n) for cpu in range(self.cpus) for c, n in enumerate(slots)]
        return b"".join(parts)


def area(boots: Sequence[Boot], current: int, cpus: int = 3, slots: Sequence[int] = SLOTS) -> bytearray:
    """The header page and both banks; a boot goes into the bank of its index, epoch 0 means unused."""
    size = cpus * sum(slots) * SLOT
    head = MAGIC + struct.pack("<II4IQ", 1, cpus, *slots, PAGE + 2 * size)
    for i, boot in enumerate(boots):
        offset = PAGE + i * size if boot.epoch else 0
        head += struct.pack("<QQI", offset, boot.khz, boot.epoch)
        head += struct.pack("<II20s", boot.cpus, len(boot.build), boot.build)
    head += struct.pack("<I", current)
    head += struct.pack("<I", crc(head))
    return bytearray(head.ljust(PAGE, b"\0") + b"".join(boot.image(slots) for boot in boots))


def slot_at(bank: int, cpu: int, context: int, index: int, cpus: int = 3) -> int:
    """Offset of a slot from the header."""
    ring = (bank * cpus + cpu) * sum(SLOTS) + sum(SLOTS[:context])
    return PAGE + (ring + index) * SLOT


def core(pieces: Sequence[tuple[int, bytes]], registers: Sequence[tuple[int, int, int, int]] = ()) -> bytes:
    """An ELF core as QEMU's dump-guest-memory writes it, without paging: notes, then memory by physical
    address. `registers`: RIP, RSP, RBP and GS's base of each CPU.
    """
    notes = b""
    for rip, rsp, rbp, gs in registers:
        regs = [0] * 27
        regs[4], regs[16], regs[19], regs[22] = rbp, rip, rsp, gs
        status = bytes(112) + struct.pack("<27Q", *regs) + bytes(8)
        notes += struct.pack("<III", 5, len(status), 1) + b"CORE\0\0\0\0" + status
    count = 1 + len(pieces)
    at = 64 + 56 * count
    out = b"\x7fELF\x02\x01\x01" + bytes(9)
    out += struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    out += struct.pack("<IIQQQQQQ", 4, 0, at, 0, 0, len(notes), len(notes), 0)
    at += len(notes)
    for address, data in pieces:
        size = len(data)
        out += struct.pack("<IIQQQQQQ", 1, 7, at, 0, address, size, size, 0)
        at += size
    return out + notes + b"".join(data for _, data in pieces)
