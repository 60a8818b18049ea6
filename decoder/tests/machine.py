"""A machine that logs, for tests: CPUs whose contexts nest at random places, braided onto one wire. Every
record's text is unique.
"""
from __future__ import annotations

import random
from dataclasses import dataclass, field

from . import encode
from .encode import Cpu


@dataclass
class Sent:
    wire: bytes = b""
    texts: dict[str, tuple[int, int]] = field(default_factory=dict)     # text -> lane, context


class Machine:
    def __init__(self, t: int, seed: int) -> None:
        self.t = t
        self.random = random.Random(seed)
        self.cpus = [Cpu(t, lane) for lane in range(1 << t)]
        self.now = 1_000_000
        self.sent = Sent()

    def run(self, rounds: int) -> bytes:
        """Each CPU writes so many records in normal context; NMIs, machine checks and panics break in."""
        streams = [self._stream(cpu, rounds) for cpu in self.cpus]
        wire = self._braid(streams)
        self.sent.wire += wire
        return wire

    def syncs(self) -> bytes:
        """Each CPU tells its counters."""
        wire = b""
        for cpu in self.cpus:
            wire += cpu.sync(0, self.now)
        self.sent.wire += wire
        return wire

    def _stream(self, cpu: Cpu, rounds: int) -> bytes:
        return b"".join(self._write(cpu, 0) for _ in range(rounds))

    def _write(self, cpu: Cpu, context: int) -> bytes:
        """A record or a batch, with frames of higher contexts inside its frames."""
        bodies = []
        for _ in range(self.random.choice((1, 1, 1, 3))):
            self.now += self.random.choice((1, 3, 200, 2000))
            text = f"L{cpu.lane}C{context}N{len(self.sent.texts)}"
            self.sent.texts[text] = (cpu.lane, context)
            bodies.append(encode.text(self.now, 2, text))
        out = b""
        for frame in cpu.records(context, self.now, bodies):
            for byte in frame:
                if context < 3 and self.random.random() < 0.004:
                    out += self._write(cpu, self.random.randrange(context + 1, 4))
                out += bytes([byte])
        return out

    def _braid(self, streams: list[bytes]) -> bytes:
        """Interleaves bytes, in runs as a UART's FIFO makes them."""
        out = bytearray()
        at = [0] * len(streams)
        left = [lane for lane, stream in enumerate(streams) if stream]
        while left:
            lane = self.random.choice(left)
            run = self.random.randrange(1, 17)
            out += streams[lane][at[lane]:at[lane] + run]
            at[lane] += run
            if at[lane] >= len(streams[lane]):
                left.remove(lane)
        return bytes(out)
