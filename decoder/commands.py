"""The commands of `python3 -m decoder`. One table; a command's module is imported when it is called, and has
main(arguments) -> exit status.
"""
from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Optional, Sequence

DEFAULT = "decode"
COMMANDS = {    # name -> (module, what it is for)
    "decode": ("decoder.cli", "take a finished capture apart (what runs if no command is named)"),
    "follow": ("decoder.follow", "watch a live port; comes back when the port does, keeps the raw bytes"),
    "trace": ("decoder.trace", "Chrome's JSON trace, which ui.perfetto.dev opens"),
    "html": ("decoder.html", "a timeline in one HTML file, for any browser, without a network"),
    "lnav": ("decoder.lnav", "a format file for lnav"),
    "postmortem": ("decoder.postmortem", "read the rings that a dead machine left in its memory"),
    "triage": ("decoder.triage", "sort many captures by how they ended"),
}


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command that the first argument names, or decode; returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = words.pop(0) if words and words[0] in COMMANDS else DEFAULT
    module = COMMANDS[name][0]
    if find_spec(module) is None:
        print(f"decoder: the command {name} is not part of this tree: {module} is missing", file=sys.stderr)
        return 2
    return int(import_module(module).main(words))


def listing() -> str:
    """The table, for --help."""
    return "".join(f"  {name:<11} {about}\n" for name, (_, about) in COMMANDS.items())
