"""The header of the rings, and where to find it (log/FORMAT.md, "Memory"). Pure functions of memory."""
from __future__ import annotations

import struct
from binascii import crc_hqx
from dataclasses import dataclass
from typing import Iterable, Optional, Protocol

from .. import wire
from .memory import Memory

PAGE = 4096
LARGE_PAGE = 2 << 20
CONTEXTS = 4
MAX_CPUS = 1 << wire.MAX_TAG_BITS
MAX_SLOTS = 1 << 16             # of a ring: what a header may claim
MAGIC = wire.AREA_MAGIC.to_bytes(8, "little")
HEAD = struct.Struct("<8sII4IQ")
BANK = struct.Struct("<QQIII20s")
TAIL = struct.Struct("<II")
SIZE = HEAD.size + 2 * BANK.size + TAIL.size


@dataclass(frozen=True)
class Bank:
    """One boot's rings. `khz`, `cpus` and `build` are 0 or empty if the boot never opened its wire."""

    address: int
    khz: int
    epoch: int
    cpus: int
    build: bytes


@dataclass(frozen=True)
class Area:
    """A header that makes sense. `sound`: its checksum fits."""

    address: int
    max_cpus: int
    slots: tuple[int, ...]      # of a ring, by context
    banks: tuple[Bank, Bank]
    current: int
    sound: bool

    def ring(self, bank: Bank, cpu: int, context: int) -> int:
        """Address of a ring's first slot."""
        before = cpu * sum(self.slots) + sum(self.slots[:context])
        return bank.address + before * wire.SLOT_SIZE

    @property
    def boots(self) -> list[Bank]:
        """The banks that a boot used, the older one first."""
        order = (self.banks[self.current ^ 1], self.banks[self.current])
        return [bank for bank in order if bank.epoch]


class Searchable(Memory, Protocol):
    def find(self, magic: bytes, align: int) -> Iterable[int]:
        """The aligned addresses at which `magic` stands."""


def parse(memory: Memory, address: int) -> Optional[Area]:
    """The header at `address`; None if there is none. One whose checksum is wrong counts if all that gives
    the geometry agrees.
    """
    data = memory.read(address, SIZE)
    if len(data) < SIZE or data[:8] != MAGIC:
        return None
    _, version, cpus, *slots, size = HEAD.unpack_from(data)
    current, crc = TAIL.unpack_from(data, SIZE - TAIL.size)
    if version != wire.AREA_VERSION or not 0 < cpus <= MAX_CPUS or current > 1:
        return None
    if any(not 0 < n <= MAX_SLOTS or n & n - 1 for n in slots):
        return None
    bank_size = cpus * sum(slots) * wire.SLOT_SIZE
    if size != PAGE + 2 * bank_size:
        return None
    banks = []
    for i in range(2):
        offset, khz, epoch, lanes, build_size, build = BANK.unpack_from(data, HEAD.size + i * BANK.size)
        if epoch and (offset != PAGE + i * bank_size or lanes > cpus or build_size > len(build)):
            return None
        banks.append(Bank(address + offset, khz, epoch, lanes, build[:build_size]))
    sound = crc == crc_hqx(data[:SIZE - 4], wire.CRC_INIT) ^ wire.CRC_FINAL
    return Area(address, cpus, tuple(slots), (banks[0], banks[1]), current, sound)


def find(memory: Searchable) -> Optional[Area]:
    """The rings in a dump: at 2 MiB, where hypervisors put them, else at any page. A sound header goes
    before one that is damaged.
    """
    damaged = None
    for align in (LARGE_PAGE, PAGE):
        for address in memory.find(MAGIC, align):
            area = parse(memory, address)
            if area is not None and area.sound:
                return area
            damaged = damaged or area
    return damaged
