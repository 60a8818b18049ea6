"""Rings -> the events of one boot, in the order of time: what the command line and the gdb commands show.
Reads memory; keeps one boot's records at a time.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable, Optional

from .. import records
from ..elf import Lookup
from ..events import CONTEXTS, Boot, Event, Note, Record
from ..formats import escape, plain
from .area import Area, Bank
from .memory import Memory
from .rings import Ring, Slot, read
from .. import wire

ODD = "damaged: its time or serial disagrees with the record beside it"
TORN = "it was being written: time, id and arguments may be of two records"


@dataclass
class Count:
    records: int = 0
    torn: int = 0
    damaged: int = 0
    missing: int = 0


@dataclass
class History:
    """One boot's records. `newest` is the latest TSC of a record."""

    bank: Bank
    events: list[Event] = field(default_factory=list)
    count: Count = field(default_factory=Count)
    newest: int = 0


def history(memory: Memory, area: Area, bank: Bank, lookup: Optional[Lookup] = None,
            only: Optional[int] = None) -> History:
    """Everything that a bank holds, or what CPU `only` wrote. `lookup` gives an id's call site."""
    out = History(bank)
    faults: list[Event] = []
    found: list[tuple[int, Event]] = []
    for cpu in range(area.max_cpus) if only is None else [only]:
        for context, slots in enumerate(area.slots):
            data = memory.read(area.ring(bank, cpu, context), slots * wire.SLOT_SIZE)
            ring = read(data, slots)
            found += _events(ring, cpu, context, bank.khz, lookup)
            faults += _faults(ring, cpu, context)
            out.count.records += len(ring.records)
            out.count.torn += ring.torn is not None
            out.count.damaged += len(ring.damaged) + len(ring.odd)
            out.count.missing += len(ring.missing)
    found.sort(key=lambda pair: pair[0])
    out.newest = found[-1][0] if found else 0
    out.events = [_boot(area, bank)] + faults + [event for _, event in found]
    return out


def seconds(tsc: int, khz: int) -> Optional[float]:
    """Since the TSC was 0, at reset; None while its rate is not known."""
    return tsc / (khz * 1000) if khz else None


def _boot(area: Area, bank: Bank) -> Boot:
    which = "this boot" if bank is area.banks[area.current] else "the boot before"
    if not bank.khz:
        text = f"epoch {bank.epoch} ({which}), which never opened its wire: no times, no build-id"
    else:
        text = f"epoch {bank.epoch} ({which}), {bank.cpus} CPUs, {bank.khz} kHz, build {bank.build.hex()}"
    return Boot(text=text, fields={"epoch": str(bank.epoch), "build": bank.build.hex()})


def _events(ring: Ring, cpu: int, context: int, khz: int,
            lookup: Optional[Lookup]) -> Iterable[tuple[int, Event]]:
    after = ring.records[-1].tsc if ring.records else 0
    for slot in sorted(ring.records + ring.odd):
        odd = slot in ring.odd
        event = Record(cpu, context, slot.tsc, seconds(slot.tsc, khz), odd, seq=slot.number, id=slot.id,
                       level=slot.level, cut=ODD if odd else "")
        _fill(event, slot, lookup)
        yield min(slot.tsc, after) if odd else slot.tsc, event
    if ring.torn is not None:
        slot = ring.torn
        message = f"#{slot.id} {slot.arguments.hex(' ')}".rstrip()
        yield after, Record(cpu, context, None, None, True, seq=slot.number, id=slot.id,
                            level=min(slot.level, 4), message=message, cut=TORN)


def _fill(event: Record, slot: Slot, lookup: Optional[Lookup]) -> None:
    payload = slot.arguments
    if slot.id == 0:
        event.message = escape(plain(payload[1:]).rstrip("\r\n"))
        return
    site = lookup(slot.id) if lookup is not None else None
    if site is None:
        event.message = f"#{slot.id} {payload.hex(' ')}".rstrip()
        return
    args, wrong = records.arguments(payload, site.types)
    event.file, event.function, event.line = site.file, site.function, site.line
    event.format, event.args, event.message = site.format, tuple(args), site.message(args)
    if site.level != slot.level:
        wrong = wrong or "another level than its call site's"
    if wrong:
        event.message += f" <- {wrong}"


def _faults(ring: Ring, cpu: int, context: int) -> Iterable[Note]:
    for numbers, why in ((ring.damaged, "damaged"), (ring.missing, "not in the dump")):
        if numbers:
            what = f"slot {numbers[0]}" if len(numbers) == 1 else f"{len(numbers)} slots ({_spans(numbers)})"
            yield Note(text=f"cpu{cpu} {CONTEXTS[context]}: {what} {why}")


def _spans(numbers: list[int]) -> str:
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    shown = [str(a) if a == b else f"{a} to {b}" for a, b in spans[:8]]
    return ", ".join(shown + ["..."] if len(spans) > 8 else shown)
