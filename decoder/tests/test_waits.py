"""Exit codes by name, and the wait-for graph."""
from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from decoder.postmortem.exits import name
from decoder.postmortem.waits import cycle, describe, waits_for


@pytest.mark.parametrize("vendor, code, info1, info2, said", [
    ("SVM", 0x81, 0, 0, "VMMCALL (0x81)"), ("SVM", 0x72, 0, 0, "CPUID (0x72)"),
    ("SVM", 0x8D, 0, 0, "XSETBV (0x8d)"), ("SVM", 0x46, 0, 0, "#UD (0x46)"),
    ("SVM", 0x4E, 2, 0x1000, "#PF at address 0x1000, error 0x2 (0x4e)"),
    ("SVM", 0x13, 0, 0, "CR3_WRITE (0x13)"),
    ("SVM", 0x400, 1 << 32 | 7, 0xFEE00300, "NPF write of 0xfee00300, forbidden (0x400)"),
    ("SVM", 0x400, 1 << 33 | 20, 0x5000,
     "NPF fetch of 0x5000, not present, in a walk of the guest's tables (0x400)"),
    ("SVM", 0x7B, 0x3FD0011, 0, "IOIO in from port 0x3fd, 1 byte (0x7b)"),
    ("SVM", 0x7C, 1, 0, "WRMSR (0x7c)"),
    ("SVM", 0xFFFFFFFF, 0, 0, "INVALID (VMRUN refused the guest's state)"),
    ("SVM", 0x3FF, 0, 0, "unknown (0x3ff)"),
    ("VMX", 18, 0, 0, "VMCALL (18)"), ("VMX", 30, 0x3F80000, 0, "IO out to port 0x3f8, 1 byte (30)"),
    ("VMX", 48, 0x182, 0x7800000, "EPT_VIOLATION write of 0x7800000, not present (48)"),
    ("VMX", 0, 0, 0x80000306, "#UD (0)"), ("VMX", 28, 0x14, 0, "MOV from CR4 (28)"),
    ("VMX", 1 << 31 | 33, 0, 0, "ENTRY_FAILED_GUEST_STATE, VM entry failed (33)"),
    ("VMX", 999, 0, 0, "unknown (999)")])
def test_exits(vendor: str, code: int, info1: int, info2: int, said: str) -> None:
    assert name(vendor, code, info1, info2) == said


@pytest.mark.parametrize("edges, expected", [
    ({}, []), ({0: [1], 1: [2]}, []), ({0: [1, 2], 1: [3], 2: [3]}, []), ({0: [1], 1: [0]}, [0, 1, 0]),
    ({0: [1], 1: [2], 2: [3], 3: [1]}, [1, 2, 3, 1]), ({5: [5]}, [5, 5]),
    ({0: [1, 2], 1: [], 2: [3], 3: [2]}, [2, 3, 2])])
def test_a_cycle_is_found_where_there_is_one(edges: dict[int, list[int]], expected: list[int]) -> None:
    assert cycle(edges) == expected


@dataclass
class Cpu:
    lane: int
    phase: str
    state: str = "running"
    words: dict[str, int] = field(default_factory=dict)


def test_who_waits() -> None:
    owner = Cpu(0, "quiescing", words={"request": 0, "parked": 0})
    parked = Cpu(1, "parked", words={"request": 2, "parked": 2})
    stays = Cpu(2, "parked", words={"request": 2, "parked": 1})     # for a round that is over
    sipi = Cpu(3, "wait sipi", "wait sipi", {"request": 2, "parked": 0})
    cpus = [owner, parked, stays, sipi]
    assert [waits_for(cpus, cpu, 0, 1) for cpu in cpus] == [[2], [0], [], []]


def test_the_graph_in_words() -> None:
    phases = {0: "quiescing", 1: "parked", 2: "exit"}
    assert list(describe({0: [], 1: []}, phases)) == []
    assert list(describe({0: [2], 1: [0], 2: []}, phases)) == [
        "waits: cpu0 -> cpu2; cpu1 -> cpu0", "all of it waits for cpu2 (exit)"]
    assert list(describe({0: [1], 1: [0], 2: []}, phases)) == [
        "waits: cpu0 -> cpu1; cpu1 -> cpu0", "DEADLOCK: cpu0 -> cpu1 -> cpu0"]
