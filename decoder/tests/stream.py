"""A long clean stream of all call sites of an ELF, for tests of the quick path and for measuring it:

    python3 -m decoder.tests.stream build/braid.elf 200000
"""
from __future__ import annotations

import io
import random
import sys
import time
from typing import Optional

from decoder import Decoder, Finder, Note
from decoder.elf import Lookup, load
from decoder.output import TextOutput
from decoder.wire import TYPE_CHAR, TYPE_POINTER, TYPE_S32, TYPE_S64, TYPE_STRING, TYPE_U32

from . import encode
from .encode import Cpu, Value

NAMES = ("SVM", "TrustVisor", "cpu0", "a loop in the host", "Δt", "tab\there", "")
TOPS = {TYPE_S32: 31, TYPE_U32: 32, TYPE_S64: 63, TYPE_POINTER: 64, TYPE_CHAR: 8}


def value(kind: int, chance: random.Random) -> tuple[str, Value]:
    if kind == TYPE_STRING:
        return chance.choice("ttx"), chance.choice(NAMES)
    if kind == TYPE_CHAR:
        return "u", chance.choice((65, 10, 0, 255))
    number = chance.getrandbits(chance.choice((3, 8, 14, TOPS.get(kind, 64))))
    if kind in (TYPE_S32, TYPE_S64):
        return "s", chance.choice((number, -number))
    return "u", number


class AnyBuild(Finder):
    """Gives these call sites to every build."""

    def __init__(self, lookup: Lookup) -> None:
        super().__init__([], patterns=())
        self._lookup = lookup

    def choose(self, build: bytes, sure: bool = True) -> tuple[Optional[Lookup], Optional[Note]]:
        return self._lookup, None


class Stream:
    """Records of all sites on 2^t CPUs, a RECORD each or in BATCHes; now and then one of an NMI between two
    frames. No frame stands inside another: such a piece is not for the quick path.
    """

    def __init__(self, t: int, lookup: Lookup, seed: int = 1, batches: bool = False) -> None:
        self.t = t
        self.chance = random.Random(seed)
        self.cpus = [Cpu(t, lane) for lane in range(1 << t)]
        self.now = 1_000_000
        sites = [(ident, lookup(ident)) for ident in range(1, 1000)]
        self._sites = [(ident, site) for ident, site in sites if site is not None]
        self._batches = batches

    def wire(self, lines: int, nmis: float = 0.02) -> bytes:
        queues = [bytearray() for _ in self.cpus]
        out = bytearray()
        while lines > 0:
            cpu = self.chance.choice(self.cpus)
            context = 1 if self.chance.random() < nmis else 0
            made = [self._record() for _ in range(self.chance.choice((1, 2, 4)) if self._batches else 1)]
            lines -= len(made)
            queues[cpu.lane] += b"".join(cpu.records(context, self.now, made))
            self._braid(queues, out, 60)
        self._braid(queues, out, 0)
        return bytes(out)

    def _record(self) -> encode.Made:
        self.now += self.chance.choice((0, 1, 3, 40, 900))
        if not self._sites or self.chance.random() < 0.01:
            return encode.text(self.now, 2, self.chance.choice(NAMES))
        ident, site = self.chance.choice(self._sites)
        return encode.record(ident, self.now, *[value(kind, self.chance) for kind in site.types])

    def _braid(self, queues: list[bytearray], out: bytearray, keep: int) -> None:
        while sum(map(len, queues)) > keep:
            queue = self.chance.choice(queues)
            size = self.chance.randrange(1, 17)
            out += queue[:size]
            del queue[:size]


def main(elf: str, lines: int) -> None:
    """Prints what the decoder makes of a stream of so many lines in a second."""
    lookup = load(elf).site
    capture = encode.banner(2, 4) + Stream(2, lookup).wire(lines)
    for blocks in (True, False):
        reader = Decoder(AnyBuild(lookup), blocks)
        stream = io.StringIO()
        output = TextOutput(stream, None)
        start = time.process_time()
        for i in range(0, len(capture), 1 << 20):
            output.write(reader.feed(capture[i:i + (1 << 20)]))
        output.write(reader.finish())
        took = time.process_time() - start
        bulk = len(capture) / reader.stats.lines
        print(f"blocks={blocks}: {reader.stats.lines / took:.0f} lines/s, {bulk:.1f} wire bytes a line, "
              f"{len(stream.getvalue()) / reader.stats.lines:.1f} characters a line")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
