"""`make log-bench`: what the log costs, beside its peers, on this machine. Result: build/bench-log.json.

wire_cost.py and speed.py say how each figure is made. What cannot be measured here is skipped, with the
reason.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Callable

import speed
import wire_cost
from tools import Skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="make log-bench", description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--cc", default="gcc")
    given = parser.parse_args()
    build, out = given.build, given.build / "log" / "bench"
    found: dict[str, Any] = {"time": time.strftime("%Y-%m-%dT%H:%M:%S"), "load": os.getloadavg()[0]}
    skipped: dict[str, str] = {}

    def attempt(name: str, measure: Callable[[], dict[str, Any]]) -> None:
        try:
            found.update(measure())
        except Skip as reason:
            skipped[name] = str(reason)
        print(f"{name}: {skipped.get(name) or 'measured'}", flush=True)

    attempt("wire_bytes_per_line", lambda: wire_cost.of_demo(build, out, wire_cost.demo(build)))
    attempt("corpus", lambda: {"corpus": wire_cost.of_corpus(out)})
    attempt("record_ns", lambda: speed.in_memory(out))
    attempt("record_instructions", lambda: speed.instructions(out))
    attempt("lttng_ns, babeltrace2_lines_per_s", lambda: speed.lttng(out, given.cc))
    attempt("decoder_lines_per_s", lambda: speed.decoder(build, out, wire_cost.demo(build)))
    found["skipped"] = skipped
    (build / "bench-log.json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
