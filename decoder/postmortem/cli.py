"""The command line. `python3 -m decoder postmortem --help`."""
from __future__ import annotations

import argparse
import sys
from typing import Optional, Sequence, Union

from .. import app
from ..elf import ElfError, Finder, Lookup, load, search
from ..events import Note
from ..output import JsonOutput, SplitOutput, TextOutput
from ..render import Painter
from .area import Area, Bank, find
from .boots import Count, History, history
from .cpus import machine, report
from .live import PREFIX
from .live import dump as fetch
from .memory import Dump, DumpError, registers

ABOUT = """Reads the log's rings, of this boot and of the one before, and each CPU's state out of a dead
machine's memory."""
EXAMPLES = """\
taking a dump from QEMU, in its monitor:
  dump-guest-memory vm.core            an ELF core (without -z, -l, -s; -w is for Windows)
  dump-guest-memory vm.core 0x7800000 0x1000000       Braid's memory alone, 16 MiB
  pmemsave 0 0x40000000 vm.ram         a raw image of 1 GiB

examples:
  python3 -m decoder postmortem vm.core                     the ELF is found in build/, by build-id
  python3 -m decoder postmortem --elf old.elf --elf new.elf vm.ram    the boot before was another build
  python3 -m decoder postmortem --base 0x8000000 rings.ram  an image that begins at 128 MiB
  python3 -m decoder postmortem qmp:vm.sock                 a live machine of QEMU -qmp unix:vm.sock,server=on
  python3 -m decoder postmortem --split traces vm.core      traces/cpu0.txt and so on

Records are sorted by time, in seconds since the TSC was 0. A record with `<cut: ...>` was being written when
the machine stopped. Behind the records of the latest boot stand its CPUs, if its ELF has debug information.

exit status:
  0  read; damaged slots are shown and counted, and are no error
  2  nothing could be read: no such dump, no rings in it, an ELF of another build
"""
Output = Union[TextOutput, JsonOutput, SplitOutput]


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command; returns its exit status."""
    return app.guarded(_run, _parser(), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = app.parser("postmortem", ABOUT, EXAMPLES)
    parser.add_argument("dump", metavar="DUMP",
                        help="an ELF core, a raw image of physical memory, or qmp:SOCKET for a live machine")
    parser.add_argument("--elf", action="append", default=[], metavar="FILE",
                        help="the ELF of a boot, once for each build; without it those in build/ are tried")
    parser.add_argument("--base", type=_address, default=0, metavar="ADDRESS",
                        help="physical address at which a raw image begins (default 0)")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto",
                        help="a colour for each CPU (default: if the output is a terminal)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--split", metavar="DIR", help="a file for each CPU in DIR")
    form.add_argument("--json", action="store_true", help="an object of JSON a line")
    return parser


def _address(text: str) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: give an address, as in 0x8000000")
    return value


def _run(options: argparse.Namespace) -> int:
    finder = Finder(options.elf)
    live = options.dump.startswith(PREFIX)
    dump = fetch(options.dump) if live else Dump(options.dump, options.base)
    area = find(dump)
    if area is None:
        raise DumpError(f"{dump.path}: no rings in this {dump.kind} ({_extent(dump)}): the machine did not "
                        "run Braid, or the dump does not hold its memory from 128 MiB on")
    output = _output(options)
    sites = choose(finder, area)
    if finder.refused and not any(lookup for lookup, _ in sites.values()):
        raise ElfError(finder.refused)
    if not area.sound:
        output.write([Note(text="the header's checksum does not fit: epochs and rates may be wrong")])
    counts = []
    last: Optional[History] = None
    for bank in area.boots:
        lookup, note = sites[bank]
        boot = history(dump, area, bank, lookup)
        output.write(boot.events[:1] + ([note] if note else []) + boot.events[1:])
        last = boot
        counts.append(f"epoch {bank.epoch}: {_told(boot.count)}")
    if last is not None and last.bank is area.banks[area.current]:
        _cpus(dump, finder, last, output)
    output.close()
    told = "; ".join(counts) or "no boot used them yet"
    app.say(f"{dump.path}: {dump.kind}, rings at {area.address:#x}: {told}")
    return 0


def _cpus(dump: Dump, finder: Finder, boot: History, output: Output) -> None:
    """The CPUs of the latest boot: only its hypervisor is still in memory."""
    bank = boot.bank
    path = elf_of(finder, bank.build)
    if path is None:
        output.write([Note(text="CPU states need the latest boot's ELF")])
        return
    try:
        state = machine(dump, path, bank.build, bank.khz, registers(dump.notes))
    except ElfError as error:
        output.write([Note(text=str(error))])
        return
    if isinstance(output, JsonOutput):
        output.write(state.cpus)
    output.write(report(state, bank.khz, boot.newest, boot.events))


def elf_of(finder: Finder, build: bytes) -> Optional[str]:
    """The path of this build's ELF, among those given or, if none is given, in build/."""
    for formats in finder.given:
        if formats.matches(build):
            return formats.path
    for path in [] if finder.given else search():
        try:
            if load(path).matches(build):
                return path
        except ElfError:
            continue
    return None


def choose(finder: Finder, area: Area) -> dict[Bank, tuple[Optional[Lookup], Optional[Note]]]:
    """The call sites for each boot, and what its reader has to know about them."""
    return {bank: finder.choose(bank.build) if bank.build else finder.unnamed() for bank in area.boots}


def _extent(dump: Dump) -> str:
    low = min(one.start for one in dump.ranges)
    high = max(one.start + one.size for one in dump.ranges)
    return f"{low:#x} to {high:#x}"


def _told(count: Count) -> str:
    text = f"{count.records} records"
    for number, what in ((count.torn, "torn"), (count.damaged, "slots damaged"),
                         (count.missing, "slots not in the dump")):
        if number:
            text += f", {number} {what}"
    return text


def _output(options: argparse.Namespace) -> Output:
    if options.split:
        return SplitOutput(options.split)
    if options.json:
        return JsonOutput(sys.stdout)
    return TextOutput(sys.stdout, Painter() if app.in_colour(options) else None)
