"""What a shell may do to a command's ends: one line, a status, never a traceback."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from decoder.commands import COMMANDS

from .test_cli import ROOT, capture, decode


def shell(words: str) -> tuple[int, str, str]:
    done = subprocess.run(f"{sys.executable} -m decoder {words}", shell=True, cwd=ROOT, capture_output=True,
                          timeout=60, text=True)
    assert "Traceback" not in done.stdout + done.stderr and "Exception ignored" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "capture.bin"
    path.write_bytes(capture())
    return path


@pytest.mark.parametrize("name", ["decode", "postmortem", "lnav"])
def test_help_to_a_full_disk(name: str) -> None:
    assert name in COMMANDS
    assert shell(f"{name} --help >/dev/full") == (2, "", "decoder: output: No space left on device\n")


@pytest.mark.parametrize("words", ["lnav", "{}", "--json {}", "--stats {}", "trace {}", "html {}",
                                   "triage {}"])
def test_a_full_disk(words: str, path: Path) -> None:
    status, _, err = shell(words.format(path) + " >/dev/full")
    assert status == 2 and err.endswith("decoder: output: No space left on device\n")


@pytest.mark.parametrize("words", ["lnav", "{}", "postmortem {}", "follow {}", "triage {}", "--stats {}"])
def test_stdout_is_closed(words: str, path: Path) -> None:
    assert shell(words.format(path) + " >&-") == (2, "", "decoder: stdout is closed: nothing can be shown\n")


def test_stdin_is_closed() -> None:
    for words in ("- <&-", "follow - <&-"):
        assert shell(words) == (2, "", "decoder: stdin: Bad file descriptor\n")


def test_stderr_is_closed_or_full(path: Path) -> None:
    out = decode(path)[1]
    for end in ("2>&-", "2>/dev/full"):
        assert shell(f"{path} {end}")[:2] == (0, out)


def test_a_name_like_markup(path: Path) -> None:
    """[/bold] closes what rich never saw opened."""
    folder = path.parent / "a["
    folder.mkdir()
    status, out, _ = decode("--stats", path.rename(folder / "bold]b"))
    assert status == 0 and "a[/bold]b" in out.replace("\n", "").replace(" ", "")
