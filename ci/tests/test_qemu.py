"""QEMU's control socket: what cannot reach QEMU is no silent success."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from ci import image, qemu, stress_boot
from ci.emulator import EmulatorError
from ci.machine import Machine
from ci.qemu import Qemu
from ci.stress_db import Job

CONNECTS = "import socket, sys, time; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "


@pytest.fixture(name="closes")
def fixture_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator that connects, and closes its socket, and lives on."""
    def arguments(machine: Machine, iso: Path, where: Path, qmp: Path) -> list[str]:
        return [sys.executable, "-c", CONNECTS + "s.close(); time.sleep(60)", str(qmp)]

    monkeypatch.setattr(qemu, "arguments", arguments)
    monkeypatch.setattr(qemu, "ENDING", 0.2)


def test_a_closed_control_socket_is_told(closes: None, tmp_path: Path) -> None:
    with Qemu(Machine("x"), tmp_path / "x.iso", tmp_path) as machine, \
            pytest.raises(EmulatorError, match="QEMU's control socket closed"):
        for _ in range(200):
            machine.inject_nmi()
            machine.poll()
            time.sleep(0.02)


def test_a_boot_whose_control_socket_closed(closes: None, tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    def build(machine: Machine, where: Path) -> Path:
        where.mkdir()
        return where / "boot.iso"

    monkeypatch.setattr(image, "build", build)
    job = Job(1, 7, 4, 1024, "", "sync", 3, "all", "hypervisor")
    outcome = stress_boot.boot(job, tmp_path / "boot")
    assert outcome.verdict == "emulator" and outcome.why == "QEMU's control socket closed"


def test_an_emulator_that_ends_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def arguments(machine: Machine, iso: Path, where: Path, qmp: Path) -> list[str]:
        return [sys.executable, "-c", CONNECTS + "s.close(); time.sleep(0.5)", str(qmp)]

    monkeypatch.setattr(qemu, "arguments", arguments)
    with Qemu(Machine("x"), tmp_path / "x.iso", tmp_path) as machine:
        while machine.alive():
            machine.poll()
        assert machine.failure is None
