"""What the decoder says: one small class for each thing that a wire can show.

Every event has `lane` (the CPU; -1 when it is nobody's), `context` (0 normal, 1 NMI, 2 machine check, 3
panic) and `ticks`: the time in units of 2^shift TSC ticks, None when no time is known. `seconds` is the
same time counted from the first SYNC after the banner.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Union

LEVELS = ("error", "warn", "info", "debug", "trace")
CONTEXTS = ("normal", "NMI", "machine check", "panic")
Arg = Union[int, bytes]
_READABLE = bytes(range(0x20, 0x7F)) + b"\t\r\n\x1b"    # ESC: firmware and boot loaders move the cursor


@dataclass(slots=True)
class Event:
    lane: int = -1
    context: int = 0
    ticks: Optional[int] = None
    seconds: Optional[float] = None
    uncertain: bool = False     # frames were lost before it: the time may be wrong by windows of 2^16 units


@dataclass(slots=True)
class Record(Event):
    """A line of the log. Without an ELF `file`, `function` and `line` are empty and the message shows the
    id and the payload.
    """

    seq: int = 0                # number of its frame in the lane's context (low 4 bits until the first SYNC)
    id: int = 0
    level: int = 2
    file: str = ""
    function: str = ""
    line: int = 0
    message: str = ""
    args: tuple[Arg, ...] = ()
    cut: str = ""               # why the record is not whole; such a one is not checked by a CRC
    format: str = ""


@dataclass(slots=True)
class Block(Event):
    """Lines of text that need no more work: records of a clean piece of the capture, in their order. Only
    from a decoder that was asked for blocks.
    """

    text: str = ""
    count: int = 0


@dataclass(slots=True)
class Sync(Event):
    """The lane's counters (by context: frames begun, records dropped) and, if sent, whose lane it is."""

    counters: dict[int, tuple[int, int]] = field(default_factory=dict)
    apic_id: Optional[int] = None


@dataclass(slots=True)
class Loss(Event):
    """Frames first..last of a lane's context never arrived whole. A negative count takes back losses
    reported too early (see ledger.py).
    """

    first: int = 0
    count: int = 0
    exact: bool = False         # the numbers are absolute; otherwise only their low 4 bits are known

    @property
    def last(self) -> int:
        return self.first + self.count - 1


@dataclass(slots=True)
class Dropped(Event):
    """So many records stand in the machine's ring only, because the wire could not take them."""

    count: int = 0


@dataclass(slots=True)
class Damage(Event):
    """A frame that was begun and is not valid. Its bytes go to the foreign trace."""

    size: int = 0               # bytes on the wire
    why: str = ""


@dataclass(slots=True)
class Cut(Event):
    """A frame that was still open when the capture (or the boot) ended; what it held follows as a Record
    with `cut` set, if it held any.
    """

    size: int = 0
    why: str = ""


@dataclass(slots=True)
class Foreign(Event):
    """Bytes that belong to no valid frame: firmware, boot loader, damage. `at` is the position of the
    first one in the capture.
    """

    data: bytes = b""
    at: int = 0

    @property
    def is_text(self) -> bool:
        """Is most of it what somebody meant to be read?"""
        return 3 * self.unreadable <= len(self.data)

    @property
    def unreadable(self) -> int:
        """How many of its bytes no text on a terminal has."""
        return len(self.data.translate(None, _READABLE))


@dataclass(slots=True)
class Boot(Event):
    """From here on it is a new machine: a banner, or the first SYNC of another boot if that was lost."""

    text: str = ""
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Note(Event):
    """What the reader has to know about the capture as a whole. `refused` says that it is of another build
    than the ELF that was given.
    """

    text: str = ""
    refused: bool = False
