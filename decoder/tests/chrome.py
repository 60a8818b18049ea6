"""The rules of Chrome's trace event format (JSON object form), as far as Perfetto's importer minds them:

    python3 -m decoder.tests.chrome trace.json      says what is wrong, or counts slices and arrows
"""
from __future__ import annotations

import json
import math
import sys
from typing import Any, Iterator

EPSILON = 0.002     # microseconds: times are rounded to 0.001
KEYS = {    # phase -> what it must have beside name, ph and pid
    "M": {"args"}, "i": {"tid", "ts", "s"}, "X": {"tid", "ts", "dur"}, "s": {"tid", "ts", "id", "cat"},
    "f": {"tid", "ts", "id", "cat", "bp"},
}


def faults(trace: Any) -> Iterator[str]:
    """What an importer would refuse, drop or draw wrongly."""
    if trace.get("displayTimeUnit") not in ("ms", "ns"):
        yield "no displayTimeUnit"
    slices: dict[tuple[int, int], list[tuple[float, float]]] = {}
    flows: dict[Any, list[dict[str, Any]]] = {}
    for at, item in enumerate(trace["traceEvents"]):
        need = KEYS.get(item.get("ph"), {"ph known"}) | {"name", "pid"}
        if not need <= set(item):
            yield f"event {at} has no {', '.join(sorted(need - set(item)))}"
            continue
        for key in ("ts", "dur"):
            number = item.get(key, 0)
            sane = isinstance(number, (int, float)) and math.isfinite(number)
            if not sane or (key == "dur" and number < 0):
                yield f"event {at}: {key} is {number}"
        track = item["pid"], item.get("tid", 0)
        if item["ph"] == "X":
            slices.setdefault(track, []).append((item["ts"], item["ts"] + item["dur"]))
        elif item["ph"] in "sf":
            flows.setdefault(item["id"], []).append(item)
    for track, some in slices.items():
        yield from (f"on track {track} two slices overlap at {at}" for at in _overlaps(some))
    for name, ends in flows.items():
        if [end["ph"] for end in ends] != ["s", "f"] or len({(end["name"], end["cat"]) for end in ends}) != 1:
            yield f"flow {name} is not one start and one end of the same name and category"
        elif ends[0]["ts"] > ends[1]["ts"]:
            yield f"flow {name} goes back in time"
        for end in ends:        # an end that lies on no slice is not drawn
            if not any(a <= end["ts"] <= b for a, b in slices.get((end["pid"], end["tid"]), ())):
                yield f"flow {name} has an end on no slice"


def _overlaps(slices: list[tuple[float, float]]) -> Iterator[float]:
    around: list[float] = []    # ends of those that are open
    for begin, end in sorted(slices, key=lambda one: (one[0], -one[1])):
        while around and around[-1] <= begin:
            around.pop()
        if around and end > around[-1] + EPSILON:
            yield begin
        around.append(end)


def main(path: str) -> int:
    with open(path, encoding="utf-8") as file:
        trace = json.load(file)
    wrong = list(faults(trace))
    phases = [item["ph"] for item in trace["traceEvents"]]
    print("\n".join(wrong[:20]) or f"{phases.count('X')} slices, {phases.count('s')} arrows, "
          f"{phases.count('i')} instants: nothing wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
