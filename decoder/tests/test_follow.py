"""follow: a port that goes away and comes back, a file that grows or is replaced, a disk that fills up."""
from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from decoder import live
from decoder.live import listen
from decoder.rawfile import HEAD, MAGIC, RawReader, RawWriter
from decoder.source import FileSource, SourceError

from . import encode
from .encode import Cpu
from .test_cli import ROOT, capture, decode


class Follower:
    """The command, with the lines that it has shown so far."""

    def __init__(self, *arguments: Any) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "decoder", "follow", *map(str, arguments)],
                                        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._watchdog = threading.Timer(30, self.process.kill)
        self._watchdog.start()

    def until(self, words: str) -> list[str]:
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if words in line:
                return lines
        raise AssertionError(f"{words!r} never came: {lines}")

    def end(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)    # SIGINT is ignored below a shell's background job
        _, err = self.process.communicate()
        self._watchdog.cancel()
        assert "Traceback" not in err
        return self.process.returncode, err


def test_a_port_that_comes_back(tmp_path: Path) -> None:
    raw = tmp_path / "kept.raw"
    wire = capture()
    cpu = Cpu(2, 3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        follower = Follower(f"socket://127.0.0.1:{server.getsockname()[1]}", "--raw", raw)
        with server.accept()[0] as connection:
            connection.sendall(wire)
            follower.until("cpu 3 line 2")
        follower.until("went away at")
        with server.accept()[0] as connection:
            connection.sendall(encode.banner(2, 4, epoch=2) + b"".join(
                cpu.records(0, 5, [encode.text(5, 2, "again")])))
            lines = follower.until("again")
            assert "is there" in lines[0]
            status, err = follower.end()
    assert status == 0 and "12 lines in 17 frames" in err
    status, out, err = decode(raw)
    assert status == 0 and "cpu 3 line 2" in out and out.rstrip().endswith("again")
    assert "12 lines in 17 frames" in err
    assert decode("follow", "-", "--raw", raw)[2].endswith("kept.raw: File exists\n")


def test_a_file_that_grows_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "com1.raw"
    wire = capture()
    seen: list[Any] = []

    def wait(done: Any) -> None:
        limit = time.monotonic() + 10
        while not done():
            assert time.monotonic() < limit, seen
            time.sleep(0.01)

    def listener() -> None:
        for item in listen(str(path), 115200):
            seen.append(item)

    threading.Thread(target=listener, daemon=True).start()
    wait(lambda: seen and "No such file" in seen[0] and "Waiting" in seen[0])
    path.write_bytes(wire[:50])
    wait(lambda: wire[:50] in seen)
    with open(path, "ab") as stream:
        stream.write(wire[50:])
    wait(lambda: wire[50:] in seen)
    path.write_bytes(b"new")
    wait(lambda: b"new" in seen)
    assert sum("went away" in item for item in seen if isinstance(item, str)) == 1


def test_a_name_that_can_never_be_opened(tmp_path: Path) -> None:
    status, _, err = decode("follow", "nonsense://x")
    assert status == 2 and len(err.splitlines()) == 1
    assert "is a directory" in decode("follow", tmp_path)[2]


def test_a_file_that_may_not_be_read_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "com1.raw"
    path.write_bytes(b"secret")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(live, "open", refuse, raising=False)
    with pytest.raises(SourceError, match="Permission denied"):
        for _, item in zip(range(3), live.listen(str(path), 115200)):
            assert "went away" not in str(item)


def test_what_raw_keeps_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    writer = RawWriter(str(path))
    writer.write(capture())
    writer.close()
    status, out, err = decode("follow", path)
    assert status == 2 and "is what --raw keeps: decode it" in err and "cpu0" not in out


def test_raw_captures_come_in_any_pieces(tmp_path: Path) -> None:
    """Also their mark, from a pipe."""
    path = tmp_path / "a.raw"
    writer = RawWriter(str(path))
    writer.write(capture())
    writer.close()
    data = path.read_bytes()
    reads, writes = os.pipe()
    os.write(writes, data[:5])

    def rest() -> None:
        time.sleep(0.3)
        os.write(writes, data[5:])
        os.close(writes)

    threading.Thread(target=rest).start()
    assert b"".join(FileSource("a pipe", reads).chunks()) == capture()
    os.close(reads)


def test_a_raw_capture_whose_head_is_damaged(tmp_path: Path) -> None:
    """What is in front of it is read, what is behind it is given as it is, and nothing is waited for."""
    path = tmp_path / "a.raw"
    writer = RawWriter(str(path))
    for _ in range(3):
        writer.write(b"x" * 84)
    writer.close()
    data = bytearray(path.read_bytes())
    data[16 + 100 + 8 + 3] ^= 0x40
    reader = RawReader()
    pieces = [piece for piece in reader.chunks(bytes(data[i:i + 7]) for i in range(0, len(data), 7))]
    assert reader.damaged == 16 + 100 and pieces[0] == b"x" * 84
    assert b"".join(pieces[1:]) == data[116:] and len(pieces) > 20
    path.write_bytes(data)
    assert "a.raw: damaged at byte 116" in decode(path)[2]


def test_a_raw_file_in_which_nothing_came_is_not_left(tmp_path: Path) -> None:
    for _ in range(2):
        assert "not known" in decode("follow", "nonsense://x", "--raw", tmp_path / "a.raw")[2]
        assert not (tmp_path / "a.raw").exists()


def test_raw_captures_keep_times_and_silences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.raw"
    writer = RawWriter(str(path))
    times: Iterator[int] = iter([10, 20, 3_000_000_000])
    monkeypatch.setattr(time, "time_ns", lambda: next(times))
    for data in (b"one", b"two", b"three"):
        writer.write(data)
    assert writer.close() == "" and writer.problem() is None
    content = path.read_bytes()
    assert content.startswith(MAGIC) and HEAD.unpack_from(content, 16) == (10, 3, 0)
    expected = [b"one", b"two", b"", b"three"]
    assert list(RawReader().chunks([content])) == expected
    assert list(RawReader().chunks(content[i:i + 1] for i in range(len(content)))) == expected
    assert list(RawReader().chunks([content[:-2]])) == [b"one", b"two", b"thr"]


def test_a_disk_that_fills_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the file stays whole, and the file says what is missing in it."""
    path = tmp_path / "a.raw"
    writer = RawWriter(str(path))
    writer.write(b"before")
    real, room = os.pwrite, [10]

    def pwrite(file: int, data: bytes, at: int) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        size = min(room[0], len(data))
        room[0] -= size
        return real(file, data[:size], at)

    monkeypatch.setattr(os, "pwrite", pwrite)
    writer.write(b"does not fit")
    problem = writer.problem()
    assert problem is not None and "No space left" in problem and writer.problem() is None
    writer.write(b"nor this")
    reader = RawReader()
    assert list(reader.chunks([path.read_bytes()])) == [b"before"]
    room[0] = 1000
    writer.write(b"after")
    assert "room again" in (writer.problem() or "")
    reader = RawReader()
    assert [data for data in reader.chunks([path.read_bytes()]) if data] == [b"before", b"after"]
    assert reader.lost == len(b"does not fit" + b"nor this")
    room[0] = 0
    writer.write(b"end")
    assert "last 3 bytes could not be kept" in writer.close()


def test_a_full_disk_is_told_and_the_log_goes_on() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    follower = subprocess.run([sys.executable, "-m", "decoder", "-"], input=capture(), cwd=ROOT, timeout=30,
                              stdout=open("/dev/full", "w"), stderr=subprocess.PIPE)
    assert b"output: No space left on device" in follower.stderr and b"Traceback" not in follower.stderr
