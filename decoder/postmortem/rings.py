"""The slots of one ring -> its records in order, and what is wrong with the rest (log/ring.h has the writer's
side). Pure functions; never raises on any bytes.

A slot says which record stands in it, so a ring needs no head: the head is the number by which most slots
are where they belong. What a slot holds is a record only if its number is the one due there, its parts are
in range, and it agrees with its neighbours: TSC and serial never go back, and the serial counts exactly the
records that were meant for the wire.
"""
from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from .. import wire
from ..events import LEVELS

SLOT = struct.Struct("<QQIHBB104s")
EMPTY = bytes(wire.SLOT_SIZE)
CANDIDATES = 8      # for the head: by how many wrong numbers it may be hidden


class Slot(NamedTuple):
    number: int
    tsc: int
    serial: int
    id: int
    size: int
    tags: int       # level, and RING_ONLY
    payload: bytes

    @property
    def level(self) -> int:
        return self.tags & ~wire.RING_ONLY

    @property
    def wire(self) -> bool:
        """Was it meant for the wire?"""
        return not self.tags & wire.RING_ONLY

    @property
    def arguments(self) -> bytes:
        return self.payload[:self.size]


@dataclass
class Ring:
    """`records` in the order of their numbers; `torn` the slot that was being written when the machine
    stopped, as the record that it was to become; `odd` are records that disagree with a neighbour; `damaged`
    and `missing` are indexes of slots.
    """

    records: list[Slot] = field(default_factory=list)
    odd: list[Slot] = field(default_factory=list)
    torn: Optional[Slot] = None
    damaged: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)    # not in the dump
    head: int = 0


def read(data: bytes, count: int) -> Ring:
    """The ring of `count` slots that `data` holds; shorter data is a dump that does not hold them all."""
    slots = [Slot(*fields) for fields in SLOT.iter_unpack(data[:len(data) // SLOT.size * SLOT.size])]
    ring = Ring(missing=list(range(len(slots), count)))
    ring.head = _head([slot.number for slot in slots], count)
    found = []
    for index, slot in enumerate(slots):
        due = _due(index, ring.head, count)
        if slot.number == due and (due or data[index * SLOT.size:(index + 1) * SLOT.size] == EMPTY):
            if due and _in_range(slot):
                found.append(slot)
            elif due:
                ring.damaged.append(index)
        elif slot.number == 0 and index == (ring.head + 1) % count:
            ring.torn = slot._replace(number=ring.head + 1, size=min(slot.size, wire.SLOT_PAYLOAD))
        else:
            ring.damaged.append(index)
    found.sort(key=lambda slot: slot.number)
    ring.records, ring.odd = _agreeing(found)
    return ring


def _due(index: int, head: int, count: int) -> int:
    """The number that belongs into a slot; 0 if none was written there yet."""
    return max(0, head - (head - index) % count)


def _head(numbers: list[int], count: int) -> int:
    """The newest record's number: the one that explains most of the slots."""
    newest: Counter[int] = Counter()
    last: dict[int, int] = {}
    for index, number in enumerate(numbers):
        if number and number % count == index:
            turn = number // count
            newest[turn] += 1
            last[turn] = max(last.get(turn, 0), number)
    heads = [0] + [last[turn] for turn, _ in newest.most_common(CANDIDATES)]

    def explained(head: int) -> int:
        return sum(number == _due(index, head, count) for index, number in enumerate(numbers))
    return max(heads, key=explained)


def _in_range(slot: Slot) -> bool:
    return slot.size <= wire.SLOT_PAYLOAD and slot.level < len(LEVELS)


def _agreeing(found: list[Slot]) -> tuple[list[Slot], list[Slot]]:
    """Sorts out those that disagree with the rest. Of two that disagree with each other, it is the one
    without which all is well; both, if that cannot be told.
    """
    odd = set()
    for i, (one, other) in enumerate(zip(found, found[1:])):
        if _follows(one, other):
            continue
        without_one = i == 0 or _follows(found[i - 1], other)
        without_other = i + 2 == len(found) or _follows(one, found[i + 2])
        if without_one or not without_other:
            odd.add(i)
        if without_other or not without_one:
            odd.add(i + 1)
    good = [slot for i, slot in enumerate(found) if i not in odd]
    return good, [found[i] for i in sorted(odd)]


def _follows(one: Slot, other: Slot) -> bool:
    steps = other.number - one.number
    sent = other.serial - one.serial & 0xFFFF_FFFF
    if one.tsc > other.tsc or sent > steps or sent < other.wire:
        return False
    return steps > 1 or sent == other.wire
