"""What a dead machine's memory still says: the log's rings, both boots' (log/FORMAT.md, "Memory"), and each
CPU's state. `python3 -m decoder postmortem --help`; see README.md beside the decoder.
"""
from .cli import main

__all__ = ["main"]
