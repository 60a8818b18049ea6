"""The table of machine tests, and what is made of a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci import image
from ci.machine import Machine
from ci.machines import ROWS
from ci.qemu import arguments


def test_names_are_unique_and_serve_as_directories() -> None:
    names = [row.machine.name for row in ROWS]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalnum() for name in names)


def test_each_row_fits_the_two_cores() -> None:
    for row in ROWS:
        assert row.machine.cpus <= 8 or not row.expect.guest
        assert row.machine.memory <= 2048 and row.machine.deadline <= 600


def test_ports() -> None:
    """COM1 is the log's and comes first; COM2 the console's."""
    words = arguments(Machine("x", cpus=2, memory=512), Path("x.iso"), Path("dir"), Path("qmp"))
    serial = [words[i + 1] for i, word in enumerate(words) if word == "-serial"]
    assert serial == ["file:dir/com1.raw", "file:dir/console.raw"]
    assert words[words.index("-smp") + 1] == "2" and words[words.index("-m") + 1] == "512"


def test_extra_must_be_a_directory(tmp_path: Path) -> None:
    with pytest.raises(image.ImageError, match="not a directory"):
        image.initramfs(Machine("x", extra=tmp_path / "absent"), tmp_path / "x")


def test_missing_parts_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "BUILD", tmp_path)
    with pytest.raises(image.ImageError, match="braid.elf is missing"):
        image.build(Machine("x", flavour="alone"), tmp_path / "x")
