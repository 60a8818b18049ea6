"""gdb commands that read Braid's log and CPUs out of a machine, live or dead, without running it:

    (gdb) source decoder/gdb_braid.py
    (gdb) braid-log [previous] [CPU]     the records in the rings, of all CPUs or of one
    (gdb) braid-cpus                     each CPU's phase, mail box and stack, and the quiesce

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
from decoder.postmortem.cpus import machine, report                             # noqa: E402
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


def live_registers() -> list[Registers]:
    """Of each CPU of a live machine; gdb knows them as threads."""
    chosen = gdb.selected_thread()
    found = []
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        frame = gdb.newest_frame()
        try:
            values = [int(frame.read_register(name)) & (1 << 64) - 1 for name in Registers._fields]
        except (ValueError, gdb.error):     # a stub that does not tell GS's base
            continue
        found.append(Registers(*values))
    if chosen is not None:
        chosen.switch()
    return found


def core_path() -> Optional[str]:
    found = re.search(r"core dump file:\s+`(.*)', file type", gdb.execute("info files", to_string=True))
    return found.group(1) if found else None


class Braid(gdb.Command):      # type: ignore[misc]
    """What both commands share: the memory, the rings, the ELF."""

    def __init__(self, name: str) -> None:
        super().__init__(name, gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        try:
            core = core_path()
            if core is not None:
                dump = Dump(core)       # by physical address: gdb itself knows only the virtual ones
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


Log("braid-log")
Cpus("braid-cpus")
