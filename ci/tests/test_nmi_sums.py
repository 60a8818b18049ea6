"""pal/guest/nmi_sums: a lost NMI and an invented one are seen, whatever came from outside."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ci.image import ROOT


def interrupts(*counts: int) -> str:
    """As /proc/interrupts has it, with other lines."""
    nmis = "  ".join(str(count) for count in counts)
    return f"  CPU0  CPU1  CPU2\n  0:  9  9  9  timer\nNMI:  {nmis}  Non-maskable interrupts\nLOC:  7  7  7\n"


def sums(where: Path, external: int, after: tuple[int, ...],
         targets: str = "1-2\n0,2\n0-1\n") -> tuple[str, str]:
    """Sent by default: two to each of three CPUs. What was said of the sums, and of what is wrong."""
    (where / "targets").write_text(targets)
    (where / "before").write_text(interrupts(*(10,) * len(after)))
    (where / "after").write_text(interrupts(*after))
    files = [str(where / name) for name in ("targets", "before", "after")]
    ended = subprocess.run([str(ROOT / "pal/guest/nmi_sums"), *files, str(external)], capture_output=True,
                           text=True)
    assert ended.returncode == bool(ended.stderr)
    return ended.stdout, ended.stderr


@pytest.mark.parametrize("external, after", [(0, (12, 12, 12)), (5, (12, 12, 12)), (5, (17, 12, 12))])
def test_right(tmp_path: Path, external: int, after: tuple[int, ...]) -> None:
    said, wrong = sums(tmp_path, external, after)
    assert said == f"nmis_sent=6 nmis_counted={sum(after) - 30}\n" and not wrong


@pytest.mark.parametrize("external, after, cpu", [
    (0, (11, 12, 12), 0), (0, (13, 12, 12), 0), (5, (18, 12, 12), 0), (5, (11, 12, 12), 0),
    (5, (17, 11, 12), 1), (5, (12, 12, 13), 2), (0, (12, 11, 13), 1)])
def test_wrong(tmp_path: Path, external: int, after: tuple[int, ...], cpu: int) -> None:
    said, wrong = sums(tmp_path, external, after)
    assert f"cpu{cpu}: {after[cpu] - 10} NMIs counted, 2 sent" in wrong and said


def test_two_digits_and_nothing_sent(tmp_path: Path) -> None:
    assert sums(tmp_path, 0, (10,) * 9 + (11,) * 3, "9-11\n") == ("nmis_sent=3 nmis_counted=3\n", "")
    assert sums(tmp_path, 0, (10, 10), "") == ("nmis_sent=0 nmis_counted=0\n", "")
