"""Reads Braid's log off the wire: tagged bytes -> symbols -> frames -> records -> lines (log/FORMAT.md).
See README.md.
"""
import sys

try:
    from .elf import ElfError, Finder
    from .events import Block, Boot, Cut, Damage, Dropped, Event, Foreign, Loss, Note, Record, Sync
    from .render import Painter, line_of
    from .stats import LaneStats, Stats
    from .stream import Decoder
except ModuleNotFoundError as error:
    if sys.argv[0] != "-m" or (error.name or "").startswith("decoder"):
        raise
    # Run as a command, by a Python that has not got the libraries (Debian's are for Debian's python3).
    raise SystemExit(f"decoder: {sys.executable} has no library {error.name}: install Debian's "
                     "python3-numpy, python3-pyelftools, python3-rich and python3-serial, and run "
                     "/usr/bin/python3") from None

__all__ = [
    "Block", "Boot", "Cut", "Damage", "Decoder", "Dropped", "ElfError", "Event", "Finder", "Foreign",
    "LaneStats", "Loss", "Note", "Painter", "Record", "Stats", "Sync", "line_of",
]
