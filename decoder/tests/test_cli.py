"""The command, as users run it: statuses, messages, no traceback, prompt output."""
from __future__ import annotations

import json
import os
import random
import resource
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from decoder import Boot, Loss, Record
from decoder.output import SplitOutput

from . import encode
from .encode import Cpu
from .test_elf import capture as elf_capture
from .test_elf import make_elf

ROOT = Path(__file__).resolve().parents[2]


def decode(*arguments: Any, feed: bytes = b"") -> tuple[int, str, str]:
    """Status, stdout, stderr."""
    command = [sys.executable, "-m", "decoder", *map(str, arguments)]
    done = subprocess.run(command, input=feed, capture_output=True, cwd=ROOT, timeout=60)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in out + err
    return done.returncode, out, err


def capture() -> bytes:
    wire = b"SeaBIOS\r\n" + encode.banner(2, 4)
    cpus = [Cpu(2, lane) for lane in range(4)]
    for i in range(3):
        for cpu in cpus:
            frames = cpu.records(0, 1000 + i, [encode.text(1000 + i, 1, f"cpu {cpu.lane} line {i}")])
            wire += b"" if (cpu.lane, i) == (2, 1) else b"".join(frames)
    return wire


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "capture.bin"
    path.write_bytes(capture())
    return path


def test_merged(path: Path) -> None:
    status, out, err = decode(path)
    assert status == 0
    lines = out.splitlines()
    assert lines[0].endswith("foreign | SeaBIOS")
    assert lines[3] == "     0.000000 cpu0        W cpu 0 line 0"
    assert "cpu2 normal: 1 frame lost, sequence 2" in out
    assert "11 lines in 15 frames, 1 frames lost (cpu2 normal 1), 9 foreign bytes" in err
    assert decode("-", feed=capture())[1] == out


def test_split(path: Path, tmp_path: Path) -> None:
    status, out, _ = decode("--split", tmp_path / "traces", path)
    assert (status, out) == (0, "")
    texts = {p.name: p.read_text() for p in (tmp_path / "traces").iterdir()}
    assert sorted(texts) == ["cpu0.txt", "cpu1.txt", "cpu2.txt", "cpu3.txt", "foreign.txt"]
    assert texts["foreign.txt"].startswith("SeaBIOS\n")
    for lane in range(4):
        assert f"cpu {lane} line 2" in texts[f"cpu{lane}.txt"]
        assert f"cpu {(lane + 1) % 4} line" not in texts[f"cpu{lane}.txt"]
    assert "1 frame lost" in texts["cpu2.txt"] and "1 frame lost" not in texts["cpu1.txt"]


def test_json_and_stats(path: Path) -> None:
    _, out, _ = decode("--json", path)
    events = [json.loads(line) for line in out.splitlines()]
    assert [e["message"] for e in events if e["type"] == "record" and e["cpu"] == 3] == [
        f"cpu 3 line {i}" for i in range(3)]
    assert [(e["cpu"], e["first"], e["count"]) for e in events if e["type"] == "loss"] == [(2, 2, 1)]
    stats = json.loads(decode("--json", "--stats", path)[1])
    assert (stats["lines"], stats["frames"], stats["frames_lost"]) == (11, 15, 1)
    assert stats["text_bytes"] == 11 * len("cpu 0 line 0\n")
    assert stats["cpus"]["2"]["frames_lost"] == 1
    assert "wire/line" in decode("--stats", path)[1]


def test_colours_only_where_asked(path: Path) -> None:
    assert "\x1b[" in decode("--color", "always", path)[1]
    assert "\x1b[" not in decode(path)[1]


def test_several(path: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.bin"
    second.write_bytes(capture())
    status, out, _ = decode(path, second)
    assert status == 0
    assert {line.split(": ")[0] for line in out.splitlines()} == {str(path), str(second)}


@pytest.mark.parametrize("content, words", [
    (b"", "empty: there is nothing to decode"),
    (random.Random(3).randbytes(50_000), "no valid frame in 50000 bytes"),
    (b"plain text\n" * 100, "no valid frame in 1100 bytes"),
    (encode.banner(2, 4), "a banner, and no valid frame"),
    (encode.banner(2, 4)[:-30], "a banner, and no valid frame"),
], ids=["empty", "noise", "text", "banner", "half a banner"])
def test_nothing_to_read(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.bin"
    path.write_bytes(content)
    status, _, err = decode(path)
    assert status == 2 and words in err and len(err.splitlines()) == 1


def test_a_truncated_capture_is_read(path: Path, tmp_path: Path) -> None:
    whole = capture()
    short = tmp_path / "short.bin"
    short.write_bytes(whole[:-11])
    status, out, err = decode(short)
    assert status == 0 and "1 frames cut" in err
    assert "cpu3 normal: cut frame" in out and "<cut: open at the end>" in out


def test_inputs_that_cannot_be_opened(tmp_path: Path) -> None:
    assert decode(tmp_path / "absent.bin")[2].endswith("absent.bin: No such file or directory\n")
    assert "is a directory" in decode(tmp_path)[2]
    assert "Connection refused" in decode("socket://localhost:1")[2]
    assert "give host and port" in decode("socket://localhost")[2]
    for name in ("socket://localhost:99999", "rfc2217://localhost:0", "socket://localhost:" + "9" * 9999):
        assert "(1 to 65535)" in decode(name)[2]
    assert decode("nonsense://x")[0] == 2
    assert decode()[0] == 2


def test_elf(tmp_path: Path) -> None:
    path, right, wrong = tmp_path / "capture.bin", tmp_path / "right.elf", tmp_path / "wrong.elf"
    path.write_bytes(elf_capture())
    make_elf(right, encode.BUILD)
    make_elf(wrong, b"\xab" * 20)
    status, out, _ = decode("--elf", right, path)
    assert status == 0 and "cpu1        W scode_register: zeroing section -3 of pal" in out
    status, out, err = decode("--elf", wrong, path)
    assert status == 2 and "cpu1" not in out
    assert f"wrong.elf has build-id {'ab' * 20}, the capture was made by {encode.BUILD[:8].hex()}" in err
    status, _, err = decode("--elf", path, path)
    assert status == 2 and "capture.bin is not a whole ELF file" in err


def test_what_does_not_go_together_is_told(path: Path) -> None:
    assert "not allowed with argument --json" in decode("--json", "--columns", path)[2]
    assert "not allowed with argument --split" in decode("--split", "x", "--columns", path)[2]
    assert decode("--columns", path, path)[::2] == (2, "decoder: --columns is for one input\n")


def test_help_has_examples() -> None:
    status, out, _ = decode("--help")
    assert status == 0 and "socket://" in out and "exit status" in out


def test_socket_is_followed_at_once(tmp_path: Path) -> None:
    wire = capture()
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-m", "decoder", f"socket://127.0.0.1:{server.getsockname()[1]}"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        watchdog = threading.Timer(30, process.kill)
        watchdog.start()
        try:
            connection, _ = server.accept()
            with connection:
                connection.sendall(wire)
                assert process.stdout is not None
                lines = [process.stdout.readline() for _ in range(15)]    # while the connection stands
                assert lines[-1].endswith(b"cpu 3 line 2\n")
            assert process.wait() == 0
        finally:
            watchdog.cancel()
            process.kill()
            process.communicate()


def test_a_pipe_is_followed_at_once() -> None:
    process = subprocess.Popen([sys.executable, "-m", "decoder", "-"], cwd=ROOT, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    watchdog = threading.Timer(30, process.kill)
    watchdog.start()
    try:
        assert process.stdin is not None and process.stdout is not None
        os.write(process.stdin.fileno(), capture())
        lines = [process.stdout.readline() for _ in range(15)]
        assert lines[-1].endswith(b"cpu 3 line 2\n")
        process.communicate()
        assert process.returncode == 0
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def test_a_reader_that_goes_away_is_no_error(path: Path) -> None:
    path.write_bytes(capture() * 300)
    shell = f"{sys.executable} -m decoder {path} 2>&1 | head -1"
    done = subprocess.run(shell, shell=True, cwd=ROOT, capture_output=True, timeout=60)
    assert b"Traceback" not in done.stdout + done.stderr and b"BrokenPipe" not in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_disk_that_fills_up_is_told(tmp_path: Path, unbuffered: str) -> None:
    """The limit lets a part of a write through, as a disk does."""
    source, target = tmp_path / "capture.bin", tmp_path / "out.txt"
    source.write_bytes(capture() * 40)
    with target.open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "decoder", str(source)], stdout=out, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
    assert (done.returncode, target.stat().st_size) == (2, 4096)
    assert done.stderr == "decoder: output: File too large\n"


def test_split_gives_the_guests_console_a_trace_of_its_own(tmp_path: Path) -> None:
    def said(lane: int, message: str, file: str = "core/guest/console.c", **more: Any) -> Record:
        return Record(lane, 0, 7, 1.5, message=message, file=file, function="put", **more)

    output = SplitOutput(str(tmp_path))
    output.write([Loss(1, 0, 5, 1.0, first=1, count=1), Boot(text="boot"),
                  said(1, "console: [    0.1] Linux"),
                  said(0, "console: no file", file=""), said(0, "a port is read"),
                  Loss(1, 0, 7, 1.5, first=3, count=2), Loss(1, 1, 7, 1.5, first=3, count=2),
                  said(2, "console: log", cut="open at the end")])
    output.close()
    assert (tmp_path / "console.txt").read_text().splitlines() == [
        "              -- boot: boot", "     1.500000 cpu1  [    0.1] Linux",
        "     1.500000 cpu1        -- cpu1 normal: 2 frames lost, sequence 3 to 4 (modulo 16)",
        "     1.500000 cpu2  log <cut: open at the end>"]
    assert "put: console: [    0.1] Linux" in (tmp_path / "cpu1.txt").read_text()
    SplitOutput(str(tmp_path)).close()
    assert not list(tmp_path.iterdir())


def test_split_keeps_inputs_of_one_name_apart(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "night" / path.name
    other.parent.mkdir()
    other.write_bytes(capture().replace(b"SeaBIOS", b"coreboo"))
    assert decode("--split", tmp_path / "traces", path, other)[0] == 0
    texts = [(tmp_path / "traces" / name / "foreign.txt").read_text()
             for name in ("capture.bin", "capture.bin-2")]
    assert [text.splitlines()[0] for text in texts] == ["SeaBIOS", "coreboo"]


def test_split_leaves_nothing_of_an_earlier_capture(path: Path, tmp_path: Path) -> None:
    """And nothing is removed but what it wrote, least of all its input."""
    traces = tmp_path / "traces"
    traces.mkdir()
    for name in ("cpu7.txt", "notes.txt", "cpu.txt", "cpu1.txt.old"):
        (traces / name).write_text("old\n")
    assert decode("--split", traces, path)[0] == 0
    assert sorted(p.name for p in traces.iterdir()) == [
        "cpu.txt", "cpu0.txt", "cpu1.txt", "cpu1.txt.old", "cpu2.txt", "cpu3.txt", "foreign.txt", "notes.txt"]
    path.rename(traces / "cpu9.txt")
    status, _, err = decode("--split", traces, traces / "cpu9.txt")
    assert status == 2 and "cpu9.txt is an input" in err and len(err.splitlines()) == 1
    assert (traces / "cpu9.txt").read_bytes() == capture() and (traces / "cpu0.txt").exists()


@pytest.mark.parametrize("view", [["--split", "traces"], ["--json"]])
def test_more_inputs_than_files_can_be_open(tmp_path: Path, view: list[str]) -> None:
    for i in range(40):
        (tmp_path / f"{i}.bin").write_bytes(capture())
    command = [sys.executable, "-m", "decoder", *view, *(f"{i}.bin" for i in range(40))]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60,
                          capture_output=True, preexec_fn=lambda: resource.setrlimit(
                              resource.RLIMIT_NOFILE, (30, 30)))
    assert done.returncode == 0 and done.stderr.count(b"11 lines in 15 frames") == 40
