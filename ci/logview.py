"""The log as the test machines see it: decoded lines as they come, kept, with the wire's figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Iterator, Optional

from decoder import Decoder
from decoder.events import CONTEXTS, LEVELS, Boot, Cut, Damage, Dropped, Event, Foreign, Loss, Note, Record


@dataclass(frozen=True)
class Line:
    """One line; cpu None is nobody's: firmware, GRUB, a boot error in plain text, the decoder's word."""
    cpu: Optional[int]
    seconds: float
    level: str
    text: str

    def __str__(self) -> str:
        if self.cpu is None:
            return self.text
        return f"cpu{self.cpu} {self.seconds:12.6f} {self.level:5} {self.text}"


def describe(event: Event) -> Iterator[Line]:
    """An event as lines; SYNCs and the like give none."""
    cpu, seconds = (event.lane if event.lane >= 0 else None), event.seconds or 0.0
    if isinstance(event, Record):
        place = f"[{CONTEXTS[event.context]}] " if event.context else ""
        cut = f" <- {event.cut}" if event.cut else ""
        yield Line(cpu, seconds, LEVELS[event.level], f"{place}{event.message}{cut}")
    elif isinstance(event, Foreign):
        for text in event.data.decode("latin-1").splitlines():
            readable = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
            if readable:
                yield Line(None, seconds, "", readable)
    elif isinstance(event, Loss):
        which = "frame lost" if event.count == 1 else "frames lost"
        yield Line(cpu, seconds, "loss", f"{event.count} {which}, sequence {event.first} to {event.last}")
    elif isinstance(event, Dropped):
        yield Line(cpu, seconds, "loss", f"{event.count} records in the ring only, not on the wire")
    elif isinstance(event, (Damage, Cut)):
        word = "cut" if isinstance(event, Cut) else "damaged"
        yield Line(cpu, seconds, "loss", f"{word} frame of {event.size} bytes: {event.why}")
    elif isinstance(event, (Boot, Note)):
        yield Line(None, seconds, "", event.text)


class LogView:
    """Fed with the wire's bytes. `elf` may be absent: machines boot without Braid, too."""

    def __init__(self, elf: Path) -> None:
        self.lines: list[Line] = []
        self._decoder = Decoder(str(elf) if elf.exists() else None)

    def feed(self, data: bytes) -> None:
        self._take(self._decoder.feed(data))

    def idle(self) -> None:
        """The wire has been silent for a while: show what was held back for the sake of its order."""
        self._take(self._decoder.idle())

    def close(self) -> None:
        self._take(self._decoder.finish())

    def _take(self, new: Iterable[Event]) -> None:
        for event in new:
            self.lines += describe(event)

    @property
    def frames(self) -> int:
        return self._decoder.stats.frames

    @property
    def frames_lost(self) -> int:
        return self._decoder.stats.frames_lost

    @property
    def damaged(self) -> int:
        """Frames that were begun and are not valid. Foreign text can look like some."""
        return self._decoder.stats.total().damaged

    @property
    def stray_bytes(self) -> int:
        """Bytes that no valid frame and no text has."""
        return self._decoder.stats.stray_bytes

    @property
    def dropped(self) -> int:
        """Records that were overwritten before the wire took them."""
        return sum(self._decoder.stats.total().dropped)

    @property
    def cut(self) -> int:
        """Frames that were never finished."""
        return self._decoder.stats.total().cut

    @property
    def own_lines(self) -> int:
        """Log records, without foreign text."""
        return self._decoder.stats.lines

    @property
    def text_bytes(self) -> int:
        return self._decoder.stats.text_bytes

    @property
    def wire_bytes(self) -> int:
        """Everything of Braid's that crossed the line: frames whole and damaged, not foreign text."""
        return self._decoder.stats.wire_bytes
