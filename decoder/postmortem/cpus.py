"""Where each CPU was, on whom it waits, and the quiesce: from struct cpu cpus[] and core/quiesce.c's words in
a dead machine's memory. See core/cpu.h and core/quiesce.h for what the words mean.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable, Iterator, Optional, Sequence

from ..elf import ElfError
from ..events import Event, Note, Record
from ..places import Places
from ..render import line_of
from . import exits
from .boots import seconds
from .debug import Debug
from .memory import Memory, Registers
from .waits import describe, waits_for

DEPTH = 16                  # of a backtrace
BUILD_ID_AT = 16            # behind the note's header and its name "GNU"
MAX_CPUS = 32
WORDS = ("request", "parked", "rung", "nmi_seen")
EXIT = ("vcpu.exit.code", "vcpu.exit.info1", "vcpu.exit.info2")
IN_GUEST = ("guest", "isolated")
HANDLING = ("exit", "quiescing", "owner")   # phases in which the exit is not dealt with yet
BACKENDS = {"svm_backend": "SVM", "vmx_backend": "VMX"}
LAST = 3                    # records of a CPU
GUEST = "guest_"            # what is due to the guest: words that come and go between builds


@dataclass
class CpuState(Event):
    """One CPU. `words` are the mail box's and the doorbell's; `exit` the last one, which may be in progress;
    `stack` begins with where it was, and is empty for a CPU that was in its guest or whose registers the dump
    does not have.
    """

    apic_id: int = 0
    state: str = ""
    phase: str = ""
    words: dict[str, int] = field(default_factory=dict)
    waits_for: list[int] = field(default_factory=list)
    guest_rip: int = 0
    exit: str = ""
    last_nmi: str = ""
    guest_now: int = -1     # guest RIP when the dump was taken, for a CPU in its guest
    stack: list[str] = field(default_factory=list)


@dataclass
class Machine:
    """`owner` and `next` are CPUs, -1 for none; `panic` the CPU that panicked, -1 if none did."""

    cpus: list[CpuState]
    released: int
    owner: int
    next: int
    panic: int


class Reader:
    """The hypervisor's variables. Its memory is mapped where it stands: virtual is physical."""

    def __init__(self, memory: Memory, debug: Debug) -> None:
        self._memory = memory
        self._debug = debug

    def word(self, symbol: str, size: int = 4) -> int:
        return self.at(self.address(symbol), size)

    def address(self, symbol: str) -> int:
        try:
            return self._debug.symbols[symbol]
        except KeyError:
            raise ElfError(f"the ELF does not know {symbol}: no CPU states are shown") from None

    def at(self, address: int, size: int) -> int:
        data = self._memory.read(address, size)
        if len(data) < size:
            raise ElfError(f"the dump does not hold the hypervisor's memory at {address:#x}: no CPU states")
        return int.from_bytes(data, "little")


def machine(memory: Memory, path: str, build: bytes, khz: int, saved: Sequence[Registers] = ()) -> Machine:
    """`path`: the ELF of this build. Raises ElfError where the memory is not this build's, or not there."""
    debug, places = Debug(path), Places(path, build)
    reader = Reader(memory, debug)
    note = memory.read(reader.address("build_id_note") + BUILD_ID_AT, len(build))
    if note != build:
        raise ElfError("the hypervisor's memory was overwritten since, or is another build's: no CPU states")
    try:
        size, fields = debug.structs["cpu"]
        states, phases = debug.enums["cpu_state"], debug.enums["cpu_phase"]
    except KeyError as error:
        raise ElfError(f"the ELF's debug information lacks {error}: no CPU states") from None
    base = reader.address("cpus")
    out = Machine([], reader.word("released", 8), reader.word("owner") - 1, reader.word("next") - 1,
                  reader.word("panic_word") - 1)

    def get(index: int, name: str) -> int:
        if name not in fields:
            raise ElfError(f"struct cpu has no {name}: this decoder is of another time than the ELF")
        where = fields[name]
        return reader.at(base + index * size + where.offset, where.size)

    vendor = vendor_of(reader, debug)
    for index in range(min(reader.word("cpu_count"), MAX_CPUS)):
        since = get(index, "phase_since")
        cpu = CpuState(index, ticks=since, seconds=seconds(since, khz), apic_id=get(index, "apic_id"))
        cpu.state = _short(states, get(index, "state"))
        cpu.phase = _short(phases, get(index, "phase"))
        words = WORDS + tuple(name for name in fields if name.startswith(GUEST))
        cpu.words = {name: get(index, name) for name in words}
        cpu.guest_rip = get(index, "vcpu.rip")
        if vendor and all(name in fields for name in EXIT):
            cpu.exit = exits.name(vendor, *(get(index, name) for name in EXIT))
        cpu.last_nmi = places.name(get(index, "sampled_rip")) if cpu.words["nmi_seen"] else ""
        mine = [one for one in saved if one.gs_base == base + index * size]
        cpu.stack = _stack(memory, debug, places, mine)
        if not mine and cpu.phase in IN_GUEST and cpu.apic_id < len(saved):     # QEMU's notes go by APIC id
            cpu.guest_now = saved[cpu.apic_id].rip
        out.cpus.append(cpu)
    for cpu in out.cpus:
        cpu.waits_for = waits_for(out.cpus, cpu, out.owner, out.released)
    return out


def vendor_of(reader: Reader, debug: Debug) -> str:
    """SVM or VMX, by the backend that was chosen; empty if there was none yet."""
    if "backend" not in debug.symbols:
        return ""
    chosen = reader.word("backend", 8)
    known = {debug.symbols.get(symbol): vendor for symbol, vendor in BACKENDS.items()}
    return known.get(chosen, "")


def _short(names: dict[int, str], value: int) -> str:
    """PHASE_WAIT_SIPI -> wait sipi."""
    name = names.get(value, f"_unknown ({value})")
    return name.split("_", 1)[-1].lower().replace("_", " ")


def _stack(memory: Memory, debug: Debug, places: Places, saved: Sequence[Registers]) -> list[str]:
    """By frame pointers. `saved`: of a CPU whose GS is that of the hypervisor; it is there if RIP is, too."""
    if not saved or not debug.in_code(saved[0].rip):
        return []
    out = [places.name(saved[0].rip)]
    if debug.frameless(saved[0].rip):
        caller = int.from_bytes(memory.read(saved[0].rsp, 8), "little")
        out += [places.name(caller, True)] if debug.in_code(caller) else []
    frame = saved[0].rbp
    while len(out) < DEPTH and frame % 8 == 0:
        data = memory.read(frame, 16)
        caller = int.from_bytes(data[8:], "little")
        if len(data) < 16 or not debug.in_code(caller):
            break
        out.append(places.name(caller, True))
        above = int.from_bytes(data[:8], "little")
        if above <= frame:
            break
        frame = above
    return out


def report(out: Machine, khz: int, newest: int, records: Sequence[Event] = ()) -> Iterator[Note]:
    """For people, a line each. `newest`: the latest TSC of a record; `records`: this boot's, by time."""
    newest = max([newest] + [cpu.ticks or 0 for cpu in out.cpus])
    for cpu in out.cpus:
        age = seconds(newest - (cpu.ticks or 0), khz)
        since = ""
        if cpu.seconds and age is not None:
            since = f" since {cpu.seconds:.6f}, for {age:.6f} s at least"
        yield Note(text=f"cpu{cpu.lane}: apic {cpu.apic_id}, {cpu.state}, phase {cpu.phase}{since}")
        for line in _details(cpu):
            yield Note(text=f"cpu{cpu.lane}:   {line}")
        for event in [one for one in records if isinstance(one, Record) and one.lane == cpu.lane][-LAST:]:
            yield Note(text=f"cpu{cpu.lane}:   said {(line_of(event) or '').strip()}")
    yield Note(text=_quiesce(out))
    phases = {cpu.lane: cpu.phase for cpu in out.cpus}
    for line in describe({cpu.lane: cpu.waits_for for cpu in out.cpus}, phases):
        yield Note(text=line)
    if out.panic >= 0:
        yield Note(text=f"panic of cpu{out.panic}")


def _details(cpu: CpuState) -> Iterable[str]:
    yield ", ".join(f"{name} {value:#x}" if name.startswith(GUEST) else f"{name} {value}"
                    for name, value in cpu.words.items())
    if cpu.waits_for:
        yield "waits for " + ", ".join(f"cpu{c}" for c in cpu.waits_for)
    if cpu.state != "absent":
        if cpu.exit:
            yield f"{'exit in progress' if cpu.phase in HANDLING else 'last exit'}: {cpu.exit}"
        nmi = f", last NMI in the host at {cpu.last_nmi}" if cpu.last_nmi else ""
        now = f", {cpu.guest_now:#x} now" if cpu.guest_now >= 0 else ""
        yield f"guest rip {cpu.guest_rip:#x} at its last exit{now}{nmi}"
    for i, place in enumerate(cpu.stack):
        yield f"{'from' if i else 'at'} {place}"


def _quiesce(out: Machine) -> str:
    if out.owner < 0:
        text = f"quiesce: the machine is free, {out.released} rounds are over"
    else:
        text = f"quiesce {out.released + 1}: cpu{out.owner} holds the machine or wants to"
        lacking: Optional[list[int]] = next((c.waits_for for c in out.cpus if c.lane == out.owner), None)
        if lacking:
            text += "; not parked: " + ", ".join(f"cpu{c}" for c in lacking)
    return text + (f"; cpu{out.next} goes next" if out.next >= 0 else "")
