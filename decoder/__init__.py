"""Reads Braid's log off the wire: tagged bytes -> symbols -> frames -> records -> lines (log/FORMAT.md).
See README.md.
"""
from .elf import ElfError, Finder
from .events import Block, Boot, Cut, Damage, Dropped, Event, Foreign, Loss, Note, Record, Sync
from .render import Painter, line_of
from .stats import LaneStats, Stats
from .stream import Decoder

__all__ = [
    "Block", "Boot", "Cut", "Damage", "Decoder", "Dropped", "ElfError", "Event", "Finder", "Foreign",
    "LaneStats", "Loss", "Note", "Painter", "Record", "Stats", "Sync", "line_of",
]
