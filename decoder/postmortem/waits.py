"""Who waits for whom: the graph of a machine's CPUs, its cycles, and who stands at the end of the waiting.
Pure functions of CPU states.
"""
from __future__ import annotations

from typing import Iterator, Protocol, Sequence


class Waiter(Protocol):
    """What a CPU's state must say."""

    lane: int
    state: str
    phase: str
    words: dict[str, int]


def waits_for(cpus: Sequence[Waiter], cpu: Waiter, owner: int, released: int) -> list[int]:
    """The CPUs without which this one does not go on (core/quiesce.h). A CPU that is parked for a round that
    is over waits for nobody.
    """
    current = released + 1
    if cpu.lane == owner and cpu.phase == "quiescing":
        return [c.lane for c in cpus
                if c is not cpu and c.state == "running" and c.words["parked"] != current]
    if cpu.phase == "parked" and cpu.words["parked"] > released and owner >= 0:
        return [owner]
    return []


def cycle(edges: dict[int, list[int]]) -> list[int]:
    """A cycle of the graph, its first CPU again at the end; empty if there is none."""
    done: set[int] = set()
    for start in edges:
        path: list[int] = []
        stack = [(start, 0)]
        while stack:
            cpu, depth = stack.pop()
            path = path[:depth]
            if cpu in path:
                return path[path.index(cpu):] + [cpu]
            if cpu in done:
                continue
            path.append(cpu)
            stack += [(other, depth + 1) for other in edges.get(cpu, [])]
            if not edges.get(cpu):
                done.add(cpu)
    return []


def describe(edges: dict[int, list[int]], phases: dict[int, str]) -> Iterator[str]:
    """A line for the graph, and one that names a cycle or those whom all others wait for."""
    waiting = {cpu: others for cpu, others in edges.items() if others}
    if not waiting:
        return
    arrows = [f"cpu{cpu} -> {_names(others)}" for cpu, others in sorted(waiting.items())]
    yield "waits: " + "; ".join(arrows)
    loop = cycle(waiting)
    if loop:
        yield "DEADLOCK: " + " -> ".join(f"cpu{cpu}" for cpu in loop)
        return
    ends = sorted({other for others in waiting.values() for other in others} - set(waiting))
    yield "all of it waits for " + ", ".join(f"cpu{cpu} ({phases.get(cpu, 'no such CPU')})" for cpu in ends)


def _names(cpus: Sequence[int]) -> str:
    return ", ".join(f"cpu{cpu}" for cpu in cpus)
