"""QEMU's repair finds its places in the QEMU that is installed, and says so where it finds none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = (ROOT / "ci/qemu_repair.c", ROOT / "ci/qemu_stale.c")


@pytest.fixture(name="repair", scope="module")
def fixture_repair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("repair") / "qemu_repair.so"
    subprocess.run(["gcc", "-std=c17", "-O2", "-I", ROOT, "-shared", "-fPIC", "-o", built, *SOURCES],
                   check=True)
    return built


def preloaded(repair: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["env", f"LD_PRELOAD={repair}", *command], capture_output=True, text=True,
                          check=True)


def test_the_places_are_found(repair: Path) -> None:
    ended = preloaded(repair, "qemu-system-x86_64", "--version")
    assert "QEMU" in ended.stdout and not ended.stderr


def test_another_program_is_left_alone(repair: Path) -> None:
    ended = preloaded(repair, "echo", "hello")
    assert ended.stdout == "hello\n" and "ci/qemu_repair.c" in ended.stderr
