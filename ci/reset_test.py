"""`make reset-test ONLY=REGEX`: a reset in the middle of the work loses no record of the log.

Each row boots a machine whose CPUs log all the time, resets it, waits for the next boot's banner, dumps the
memory and judges: the banner must name the boot before, and the rings of that boot must hold what the wire
carried to the end, CPU by CPU. One row puts another build (another build-id) on the boot medium meanwhile.
The last line is `N passed, N failed`.
"""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Optional, Sequence

from ci import image
from ci.autopsy import dump
from ci.emulator import EmulatorError
from ci.machine import Machine
from ci.only import only
from ci.qemu import Qemu
from ci.wire import CUE, KEPT, WORK, Failure, Wire, elf
from decoder import Boot, Event, Record
from decoder.elf import Finder, load
from decoder.postmortem.area import Area, find
from decoder.postmortem.boots import History, history
from decoder.postmortem.cli import choose
from decoder.postmortem.memory import Dump, DumpError

ALONE = "meanwhile"  # core/hosttest.c: the other CPUs log while one steps
STOPPED = "panic: stopped"
INFO = 2  # the finest level on the wire
IN_FLIGHT = 4  # records of a ring that the reset may have kept from the wire


@dataclass(frozen=True)
class Row:
    """A way to reset: the button, unless `guest`, which runs beside the demo, resets the machine itself. With
    `panic` it breaks the hypervisor, and the button is pressed when that has stopped.
    """
    name: str
    guest: str = ""
    says: str = ""  # on the wire, before the reset
    panic: bool = False
    options: str = ""
    kernel_args: str = ""
    another_build: bool = False
    alone: bool = False     # no guest: the log's own test, on all CPUs


def by_port(name: str, port: int, value: int) -> Row:
    """The guest writes a byte to a port: Braid sees it, and ends what it has before the machine resets."""
    return Row(name, guest=f"printf '\\{value:03o}' | dd of=/dev/port bs=1 seek={port}",
               says=f"guest resets the machine by port {port:#x}")


ROWS = (
    Row("button, without a guest", options="test=step", alone=True),
    Row("reset button"),
    by_port("port 0xCF9", 0xCF9, 0x06),
    by_port("keyboard controller", 0x64, 0xFE),
    by_port("fast reset", 0x92, 0x03),
    Row("triple fault", guest="echo b >/proc/sysrq-trigger", kernel_args="reboot=triple"),
    Row("panic, then the button", guest="/pal/64/quiesce --break 1", panic=True, options="test=on"),
    Row("another build", another_build=True),
)


def run(row: Row, where: Path) -> tuple[list[Event], Dump]:
    """Boot, reset, boot; the wire's events and the dump. Raises Failure, ImageError, EmulatorError."""
    command = f"/pal/demo & sleep {WORK}; {row.guest}; wait" if row.guest else "/pal/demo"
    machine = Machine("reset", flavour="alone" if row.alone else "braid", command=command, loops=100000,
                      kernel_args=row.kernel_args, options=row.options, deadline=180.0)
    iso = image.build(machine, where)
    core = where / "vm.core"
    wire = Wire()
    with Qemu(machine, iso, where) as qemu:
        qemu.qmp.command("set-action", reboot="reset")  # the machine's own resets do not end QEMU
        end = time.monotonic() + machine.deadline
        console, reset_at = b"", None
        while len(wire.boots) < 2:
            time.sleep(0.05)
            wire.feed(qemu.com1.read())
            console += qemu.com2.read()
            qemu.poll()
            now = time.monotonic()
            if now > end or not qemu.alive():
                raise Failure(f"no second banner; the console's last words: {console[-200:]!r}")
            if reset_at is None and (wire.says(STOPPED) if row.panic else
                                     wire.says(ALONE) if row.alone else CUE.encode() in console):
                reset_at = now + WORK
                if row.another_build:
                    exchange(iso, load(str(elf())).build, other_build())
            if reset_at is not None and now > reset_at and (row.panic or not row.guest):
                qemu.qmp.command("system_reset")
                reset_at = float("inf")
        why = dump(qemu, core)
        if why:
            raise Failure(why)
    return wire.events, Dump(str(core))


def other_build() -> bytes:
    return bytes(byte ^ 0xFF for byte in load(str(elf())).build)


def exchange(path: Path, old: bytes, new: bytes) -> None:
    """Put `new` wherever `old` stands in a file, in place: QEMU has it open."""
    data = path.read_bytes()
    places = [found.start() for found in re.finditer(re.escape(old), data)]
    if not places:
        raise Failure(f"{path} does not hold the build-id of {elf()}: make images")
    with path.open("r+b") as stream:
        for at in places:
            stream.seek(at)
            stream.write(new)


def judge(row: Row, events: Sequence[Event], dump: Dump) -> str:
    """A line about what was found. Raises Failure."""
    area = find(dump)
    if area is None:
        raise Failure("the dump has no rings")
    boots = area.boots
    if len(boots) != 2:
        raise Failure(f"{len(boots)} banks are in use, not 2")
    banners = [event for event in events if isinstance(event, Boot)]
    kept = records(area, dump)
    build = load(str(elf())).build
    expected = {"epoch": str(boots[0].epoch + 1), "previous": str(boots[0].epoch),
                "previous_records": str(kept.count.records), "previous_build": build.hex(),
                "build": (other_build() if row.another_build else build).hex()}
    for key, value in expected.items():
        if banners[1].fields.get(key) != value:
            raise Failure(f"the second banner says {key}={banners[1].fields.get(key)}, not {value}")
    if kept.count.damaged or kept.count.missing:
        raise Failure(f"{kept.count.damaged} slots damaged, {kept.count.missing} missing")
    if boots[1].build.hex() != expected["build"]:
        raise Failure("the second bank is not the second build's")
    if row.says and not any(isinstance(e, Record) and row.says in e.message for e in kept.events):
        raise Failure(f"the rings do not hold: {row.says}")
    compared = compare(events[:events.index(banners[1])], kept.events)
    if row.panic and not any(isinstance(e, Record) and STOPPED in e.message for e in kept.events):
        raise Failure("the panic's last words are not in the rings")
    return f"{kept.count.records} records kept, {kept.count.torn} torn, {compared} of them seen on the wire"


def records(area: Area, dump: Dump) -> History:
    bank = area.boots[0]
    lookup, note = choose(Finder([str(elf())]), area)[bank]
    if lookup is None:
        raise Failure(note.text if note else "no ELF")
    return history(dump, area, bank, lookup)


def compare(wire: Iterable[Event], rings: Iterable[Event]) -> int:
    """How many records of the rings are on the wire. Raises Failure where a ring's last ones are not."""
    sent, kept = by_context(wire), by_context(rings)
    total = 0
    for key, lines in kept.items():
        agreed = overlap(sent.get(key, []), lines)
        if agreed < min(KEPT, len(lines) - IN_FLIGHT, len(sent.get(key, []))):
            raise Failure(f"cpu{key[0]}: of {len(lines)} records only the last {agreed} agree with the wire")
        total += agreed
    if len({cpu for cpu, _ in kept}) < Machine("").cpus or total < KEPT:
        raise Failure(f"{total} records to compare, of CPUs {sorted(kept)}: the machine did not work")
    return total


def overlap(sent: list[str], kept: list[str]) -> int:
    """How many lines agree, from the end back, at the best of the ends that a reset may leave."""
    best = 0
    for flying in range(min(IN_FLIGHT, len(kept)) + 1):
        count = 0
        for one, other in zip(reversed(sent), reversed(kept[:len(kept) - flying])):
            if one != other:
                break
            count += 1
        best = max(best, count)
    return best


def by_context(events: Iterable[Event]) -> dict[tuple[int, int], list[str]]:
    """The whole records of wire level, by CPU and context, in order."""
    out: dict[tuple[int, int], list[str]] = {}
    for event in events:
        if isinstance(event, Record) and not event.cut and event.level <= INFO:
            out.setdefault((event.lane, event.context), []).append(f"{event.function}: {event.message}")
    return out


def main() -> int:
    rows = only(ROWS, lambda row: row.name)
    failed = 0
    for row in rows:
        why: Optional[str] = None
        try:
            line = judge(row, *run(row, image.BUILD / "reset" / re.sub(r"\W+", "-", row.name)))
        except (Failure, DumpError, EmulatorError, image.ImageError) as error:
            why = str(error)
        failed += why is not None
        print(f"{'FAIL' if why else 'ok'}  {row.name}: {why or line}", flush=True)
    print(f"{len(rows) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
