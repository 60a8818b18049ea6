"""The command `lnav`: a log format for lnav (lnav.org), which then knows time, CPU, context, level and
function of the decoder's lines.
"""
from __future__ import annotations

import argparse
import json
from typing import Optional, Sequence

from . import app

ABOUT = """Prints a format file for lnav. Install it once, then open what the decoder wrote:
  python3 -m decoder lnav > braid.json && lnav -i braid.json
  python3 -m decoder capture.bin > capture.txt && lnav capture.txt"""
PATTERN = (r"^\s*~?(?<timestamp>\d+\.\d{6}) cpu(?<cpu>\d+)\s+(?:(?<context>NMI|#MC|PANIC)\s+)?"
           r"(?<level>[EWIDT]|--) (?:(?<function>[A-Za-z_]\w*): )?(?<body>.*)$")
SAMPLES = (
    "     1.234567 cpu2        I scode_register: zeroing section 3",
    "    ~1.234570 cpu12 NMI   W doorbell: request 17 seen",
    "     1.234567 cpu2        -- cpu2 normal: 3 frames lost, sequence 411 to 413",
)
FORMAT = {
    "$schema": "https://lnav.org/schemas/format-v1.schema.json",
    "braid": {
        "title": "Braid's log, as its decoder shows it",
        "regex": {"line": {"pattern": PATTERN}},
        "timestamp-format": ["%s.%f"],
        "level-field": "level",
        "level": {"error": "^(?:E|--)$", "warning": "^W$", "info": "^I$", "debug": "^D$", "trace": "^T$"},
        "value": {
            "cpu": {"kind": "integer", "identifier": True, "foreign-key": True},
            "context": {"kind": "string", "identifier": True},
            "function": {"kind": "string", "identifier": True},
        },
        "sample": [{"line": line} for line in SAMPLES],
    },
}


def main(arguments: Optional[Sequence[str]] = None) -> int:
    return app.guarded(_run, app.parser("lnav", ABOUT), arguments)


def _run(_: argparse.Namespace) -> int:
    print(json.dumps(FORMAT, indent=4))
    return 0
