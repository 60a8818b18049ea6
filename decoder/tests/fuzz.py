"""`make decoder-fuzz`: BYTES of damaged streams and of noise through the decoder. It must not raise, take
no more memory at the end than near the start, and accept a wrong frame no more often than a CRC of 16 bits
allows.

    python3 -m decoder.tests.fuzz [BYTES [SEED]]        the last line is `N passed, N failed`
"""
from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Callable

from decoder import Decoder, Event, Record
from decoder.elf import Finder

from . import encode
from .machine import Machine

PIECE = 100_000
GROWTH = 16 << 20       # bytes: the allocator's; a leak of an event a frame would take ten times as much
WARM = 0.1              # of it all, before memory is measured
CHUNKS = (100, 4096, 4096, 65536)


class Fuzz:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.machines = [Machine(t, seed) for t in range(6)]
        for machine in self.machines:
            while len(machine.sent.wire) < PIECE:
                machine.run(8)
                machine.syncs()
        self.kinds: list[Callable[[], bytes]] = [self.damaged] * 4
        self.kinds += [self.noise, self.marks, self.banners]
        # What any of them has said: a piece that was held back comes with the next one
        self.said = {(text, *of) for machine in self.machines for text, of in machine.sent.texts.items()}
        self.wrong = self.spoilt = self.bytes = 0

    def run(self, reader: Decoder) -> None:
        """A piece of some kind, in chunks of some size."""
        data = self.chance.choice(self.kinds)()
        size = self.chance.choice(CHUNKS) if self.chance.random() < 0.95 else self.chance.randrange(1, 9)
        before = reader.stats.total().damaged
        for at in range(0, len(data), size):
            self.judge(reader.feed(data[at:at + size]))
            if self.chance.random() < 0.01:
                self.judge(reader.idle())
        self.spoilt += reader.stats.total().damaged - before
        self.bytes += len(data)

    def judge(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Record) and not event.cut:
                self.wrong += (event.message, event.lane, event.context) not in self.said

    def damaged(self) -> bytes:
        """A real stream with faults, from one in 10 to one in 10,000 bytes."""
        machine = self.chance.choice(self.machines)
        wire = encode.banner(machine.t, 1 << machine.t) + machine.sent.wire
        out, rate = bytearray(wire), 10 ** -self.chance.uniform(1, 4)
        for _ in range(int(len(wire) * rate)):
            at, kind = self.chance.randrange(len(out)), self.chance.randrange(4)
            if kind == 0:
                del out[at:at + self.chance.choice((1, 1, 1, 1, 30))]
            elif kind == 1:
                out[at] ^= 1 << self.chance.randrange(8)
            elif kind == 2:
                out.insert(at, self.chance.randrange(256))
            else:
                out[at:at] = out[at:at + self.chance.choice((1, 1, 1, 1, 30))]
        return bytes(out)

    def noise(self) -> bytes:
        return self.chance.randbytes(PIECE)

    def marks(self) -> bytes:
        """Noise that is mostly STARTs, ENDs and headers of each lane."""
        t = self.chance.randrange(6)
        few = [lane << 8 - t & 255 | symbol for lane in range(1 << t)
               for symbol in ((1 << 8 - t) - 1, (1 << 8 - t) - 2, 0, self.chance.randrange(1 << 8 - t))]
        return encode.banner(t, 1 << t) + bytes(self.chance.choices(few, k=PIECE))

    def banners(self) -> bytes:
        """Preambles, whole and cut, and lines that never end."""
        words = [b"\r\n\r\n#BRAID ", encode.banner(2, 4), encode.banner(5, 32)[:-5], b"#BRAID 9 t=9 cpus=x",
                 b"A" * 5000, b"\xff" * 300, b"\n"]
        out = b""
        while len(out) < PIECE:
            out += self.chance.choice(words) + self.chance.randbytes(self.chance.randrange(40))
        return out


def memory() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def main(size: int = 10**8, seed: int = 1) -> int:
    fuzz, reader = Fuzz(seed), Decoder(Finder([], patterns=()))
    start, warm, shown = time.monotonic(), 0, 0
    while fuzz.bytes < size:
        fuzz.run(reader)
        if not warm and fuzz.bytes > WARM * size:
            warm = memory()
        if fuzz.bytes * 10 // size > shown:
            shown = fuzz.bytes * 10 // size
            print(f"{fuzz.bytes} bytes, {time.monotonic() - start:.0f} s: {reader.stats.frames} frames,"
                  f" {fuzz.spoilt} damaged, {fuzz.wrong} wrong ones accepted, {memory() >> 20} MiB",
                  flush=True)
    reader.finish()
    grown = memory() - warm
    allowed = 5 + 2 * fuzz.spoilt / 65536
    checks = {
        f"memory grew by {grown >> 10} KiB since {WARM:.0%} of it": grown < GROWTH,
        f"{fuzz.wrong} wrong frames accepted, {allowed:.0f} allowed of {fuzz.spoilt}": fuzz.wrong <= allowed,
        "every byte is accounted for": reader.stats.bytes == fuzz.bytes,
    }
    for what, good in checks.items():
        print(f"{'ok' if good else 'FAILED':6} {what}")
    print(f"{sum(checks.values())} passed, {len(checks) - sum(checks.values())} failed")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
