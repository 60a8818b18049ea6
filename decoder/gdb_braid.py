"""gdb commands that read Braid's log and CPUs out of a machine, live or dead, without running it:

    (gdb) source decoder/gdb_braid.py
    (gdb) braid-log [previous] [CPU]     the records in the rings, of all CPUs or of one
    (gdb) braid-cpus                     each CPU's phase, mail box and stack, and the quiesce
    (gdb) braid-vcpu CPU                 its guest: registers, control registers, last exit, nested root
    (gdb) braid-nested GPA [CPU]         the walk of its nested tables, for a guest-physical address
    (gdb) braid-walk GVA [CPU]           the walk of its guest's tables, then of the nested ones
    (gdb) braid-walk GVA 32|pae|long CR3     the same of any other tables

Live: QEMU's gdbstub (`-s`, then `target remote :1234`), whose memory is read by physical address, whatever
the current CPU has mapped. Dead: `core vm.core`, of dump-guest-memory. The symbols are those of `file
build/braid.elf`, or of the ELF in build/ that fits. gdb's Python needs Debian's python3-pyelftools and
python3-rich.
"""
from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from typing import Iterator, Optional

import gdb

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from decoder.elf import ElfError, Finder                                        # noqa: E402
from decoder.postmortem.area import Area, find, parse                           # noqa: E402
from decoder.postmortem.boots import history                                    # noqa: E402
from decoder.postmortem.cli import choose, elf_of                               # noqa: E402
from decoder.postmortem import guest, walk                                      # noqa: E402
from decoder.postmortem.cpus import Reader, machine, report                     # noqa: E402
from decoder.postmortem.debug import Debug                                      # noqa: E402
from decoder.postmortem.memory import Dump, DumpError, Memory, Registers, registers     # noqa: E402
from decoder.render import line_of                                              # noqa: E402

RINGS = 128 << 20       # where the hypervisor puts them (core/memory.h)


class Live:
    """The memory of gdb's target."""

    def read(self, address: int, size: int) -> bytes:
        try:
            return bytes(gdb.selected_inferior().read_memory(address, size))
        except gdb.MemoryError:
            return b""


@contextmanager
def physical() -> Iterator[None]:
    """QEMU's stub takes addresses as physical ones meanwhile. Other stubs do not know the packet, and are
    read as they are.
    """
    gdb.execute("maintenance packet Qqemu.PhyMemMode:1", to_string=True)
    try:
        yield
    finally:
        gdb.execute("maintenance packet Qqemu.PhyMemMode:0", to_string=True)


CONTROL = ("cr0", "cr2", "cr3", "cr4", "efer")
LIVE_CONTROL: dict[int, dict[str, int]] = {}    # control registers of a live machine's CPUs, by number


def live_registers() -> list[Registers]:
    """Of each CPU of a live machine; gdb knows them as threads, in the order of the CPUs."""
    chosen = gdb.selected_thread()
    LIVE_CONTROL.clear()
    found = []
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        frame = gdb.newest_frame()
        try:
            values = [int(frame.read_register(name)) & (1 << 64) - 1 for name in Registers._fields]
        except (ValueError, gdb.error):     # a stub that does not tell GS's base
            continue
        found.append(Registers(*values))
        LIVE_CONTROL[thread.num - 1] = control_of(frame)
    if chosen is not None:
        chosen.switch()
    return found


def control_of(frame: gdb.Frame) -> dict[str, int]:
    """Empty for a stub that does not tell them."""
    try:
        return {name: int(frame.read_register(name)) & (1 << 64) - 1 for name in CONTROL}
    except (ValueError, gdb.error):
        return {}


def core_path() -> Optional[str]:
    found = re.search(r"core dump file:\s+`(.*)', file type", gdb.execute("info files", to_string=True))
    return found.group(1) if found else None


class Braid(gdb.Command):      # type: ignore[misc]
    """What all commands share: the memory, the rings, the ELF."""

    def __init__(self, name: str) -> None:
        super().__init__(name, gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        try:
            core = core_path()
            if core is not None:
                dump = Dump(core)       # by physical address: gdb itself knows only the virtual ones
                LIVE_CONTROL.clear()
                self._go(dump, find(dump), registers(dump.notes), argument.split())
                return
            if gdb.selected_inferior().pid == 0:
                raise gdb.GdbError("nothing to read: `target remote` a machine, or `core` a dump of one")
            saved = live_registers()
            with physical():
                self._go(Live(), parse(Live(), RINGS), saved, argument.split())
        except (DumpError, ElfError) as error:
            raise gdb.GdbError(str(error)) from None

    def _go(self, memory: Memory, area: Optional[Area], saved: list[Registers], words: list[str]) -> None:
        if area is None:
            raise gdb.GdbError("no rings in this memory: the machine has not started Braid, or is no QEMU")
        name = gdb.current_progspace().filename
        try:
            finder = Finder([name] if name else [])
        except ElfError:                # another program's file: look into build/
            finder = Finder()
        self.show(memory, area, finder, saved, words)

    def show(self, memory: Memory, area: Area, finder: Finder, saved: list[Registers],
             words: list[str]) -> None:
        raise NotImplementedError


class Log(Braid):
    """braid-log [previous] [CPU]: the log's records in memory, of this boot or of the one before."""

    def show(self, memory: Memory, area: Area, finder: Finder, saved: list[Registers],
             words: list[str]) -> None:
        bank = area.banks[area.current ^ (words[:1] == ["previous"])]
        words = words[1:] if words[:1] == ["previous"] else words
        if len(words) > 1 or any(not word.isdigit() or int(word) >= area.max_cpus for word in words):
            raise gdb.GdbError(f"usage: braid-log [previous] [CPU], CPUs are 0 to {area.max_cpus - 1}")
        if not bank.epoch:
            raise gdb.GdbError("no boot before this one left its records")
        lookup, note = choose(finder, area)[bank]
        boot = history(memory, area, bank, lookup, int(words[0]) if words else None)
        for event in boot.events[:1] + ([note] if note else []) + boot.events[1:]:
            gdb.write((line_of(event) or "") + "\n")


class Cpus(Braid):
    """braid-cpus: where each CPU of the hypervisor is, on whom it waits, and the quiesce."""

    def show(self, memory: Memory, area: Area, finder: Finder, saved: list[Registers],
             words: list[str]) -> None:
        bank = area.banks[area.current]
        path = elf_of(finder, bank.build)
        if path is None:
            raise gdb.GdbError(f"CPU states need the ELF with build-id {bank.build.hex()}: `file` it")
        for note in report(machine(memory, path, bank.build, bank.khz, saved), bank.khz, 0):
            gdb.write(note.text + "\n")


class Tables(Braid):
    """What the commands share that look at one CPU's guest."""

    usage = ""

    def show(self, memory: Memory, area: Area, finder: Finder, saved: list[Registers],
             words: list[str]) -> None:
        bank = area.banks[area.current]
        path = elf_of(finder, bank.build)
        if path is None:
            raise gdb.GdbError(f"this needs the ELF with build-id {bank.build.hex()}: `file` it")
        try:
            self.look(memory, Debug(path), words)
        except ValueError:
            raise gdb.GdbError(f"usage: {self.usage}") from None

    def look(self, memory: Memory, debug: Debug, words: list[str]) -> None:
        """Raises ValueError where the words are not as `usage` says."""
        raise NotImplementedError

    def cpu(self, memory: Memory, debug: Debug, words: list[str]) -> guest.Guest:
        """The CPU that the last word names, else 0. The guest of a live machine's CPU has the control
        registers of now, if those are not the hypervisor's: its last exit may be long ago.
        """
        if len(words) > 1:
            raise ValueError
        one = guest.guest(memory, debug, int(words[0], 0) if words else 0)
        now = LIVE_CONTROL.get(one.cpu, {})
        if now and now["cr3"] != Reader(memory, debug).word("pml4", 8):
            one.control.update(now)
        return one


class Vcpu(Tables):
    """braid-vcpu CPU: the guest of a CPU: registers, control registers, last exit, nested root."""

    usage = "braid-vcpu CPU"

    def look(self, memory: Memory, debug: Debug, words: list[str]) -> None:
        if len(words) != 1:
            raise ValueError
        for line in guest.describe(self.cpu(memory, debug, words)):
            gdb.write(line + "\n")


def told(title: str, found: walk.Walk, lead: str) -> None:
    end = "no page"
    if found.address is not None:
        end = f"{lead} {found.address:#x}, page of {found.size // 1024} KiB"
    for line in [title] + ["  " + one for one in found.lines] + ["  -> " + end]:
        gdb.write(line + "\n")


def nested(memory: Memory, one: guest.Guest, gpa: int) -> None:
    found = walk.walk(memory, one.root, gpa, "ept" if one.vendor == "VMX" else "long")
    told(f"cpu{one.cpu}: nested tables at {one.root:#x}, guest-physical {gpa:#x}", found, "memory at")


class Nested(Tables):
    """braid-nested GPA [CPU]: the walk of a CPU's nested tables, level by level."""

    usage = "braid-nested GPA [CPU]"

    def look(self, memory: Memory, debug: Debug, words: list[str]) -> None:
        if not words:
            raise ValueError
        nested(memory, self.cpu(memory, debug, words[1:]), int(words[0], 0))


class Guest(Tables):
    """braid-walk GVA [CPU], braid-walk GVA 32|pae|long CR3: a guest's tables, level by level, and then the
    nested ones.
    """

    usage = "braid-walk GVA [CPU], or braid-walk GVA 32|pae|long CR3"

    def look(self, memory: Memory, debug: Debug, words: list[str]) -> None:
        if not words:
            raise ValueError
        gva = int(words[0], 0)
        given = len(words) == 3 and words[1] in walk.MODES[:3]
        one = self.cpu(memory, debug, [] if given else words[1:])
        if given:
            mode, cr3 = words[1], int(words[2], 0)
        elif not one.control:
            raise gdb.GdbError("a VMCS cannot be read from outside: braid-walk GVA 32|pae|long CR3")
        else:
            control = one.control
            mode, cr3 = walk.mode_of(control["cr0"], control["cr4"], control["efer"]), control["cr3"]
        if not mode:
            raise gdb.GdbError("this guest's paging is off, or has five levels, which Braid hides")
        found = walk.walk(memory, cr3, gva, mode)
        told(f"guest tables ({mode}) at {cr3:#x}, address {gva:#x}", found, "guest-physical")
        if found.address is not None:
            nested(memory, one, found.address)


Log("braid-log")
Cpus("braid-cpus")
Vcpu("braid-vcpu")
Nested("braid-nested")
Guest("braid-walk")
