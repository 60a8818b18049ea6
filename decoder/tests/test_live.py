"""postmortem on a live machine: a QMP server of our own plays QEMU's part, also badly."""
from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Callable, Iterator

import pytest

from decoder.postmortem import live, main

from . import rings
from .rings import AT, Boot

Play = Callable[[dict[str, object]], list[dict[str, object]]]
GREETING = b'{"QMP": {"version": {}, "capabilities": []}}\r\n'


class Server:
    """Accepts one client, greets it, and answers each command as `play` says; closes where that is empty."""

    def __init__(self, path: Path, greeting: bytes, play: Play) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._greeting = greeting
        self._play = play
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        with client, client.makefile("rwb") as stream:
            stream.write(self._greeting)
            stream.flush()
            for line in iter(stream.readline, b""):
                answers = self._play(json.loads(line))
                if not answers:
                    return
                stream.write(b"".join(json.dumps(one).encode() + b"\r\n" for one in answers))
                stream.flush()

    def close(self) -> None:
        self._thread.join(10)
        self._listener.close()


def image() -> bytes:
    boot = Boot(4)
    boot.ring(1).text(70_000_000, "from a live machine")
    return rings.core([(AT, bytes(rings.area([Boot(0), boot], 1)))])


def qemu(command: dict[str, object]) -> list[dict[str, object]]:
    arguments = command["arguments"]
    assert isinstance(arguments, dict)
    if command["execute"] == "dump-guest-memory":
        assert arguments["begin"] <= AT < arguments["begin"] + arguments["length"] and not arguments["paging"]
        Path(arguments["protocol"][len("file:"):]).write_bytes(image())
        return [{"event": "STOP"}, {"event": "RESUME"}, {"return": {}}]
    return [{"return": {}}]


def leaves(command: dict[str, object]) -> list[dict[str, object]]:
    return [{"return": {}}] if command["execute"] == "qmp_capabilities" else []


def refuses(command: dict[str, object]) -> list[dict[str, object]]:
    refusal: dict[str, object] = {"error": {"class": "GenericError", "desc": "not now"}}
    return [{"return": {}}] if command["execute"] == "qmp_capabilities" else [refusal]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[bytes, Play], str]]:
    servers: list[Server] = []

    def start(greeting: bytes, play: Play) -> str:
        path = tmp_path / "q"
        servers.append(Server(path, greeting, play))
        return f"{live.PREFIX}{path}"
    yield start
    for server in servers:
        server.close()


def test_a_live_machine(serve: Callable[[bytes, Play], str], capsys: pytest.CaptureFixture[str]) -> None:
    name = serve(GREETING, qemu)
    assert main([name]) == 0
    out, err = capsys.readouterr()
    assert "0.070000 cpu1        I from a live machine" in out and f"{name}: ELF core" in err


@pytest.mark.parametrize("greeting, play, why", [
    (GREETING, leaves, "the socket was closed"),
    (GREETING, refuses, "refuses dump-guest-memory: not now"),
    (b"SSH-2.0\r\n", qemu, "no QMP socket"),
    (b"[]\r\n", qemu, "no QMP socket"),
])
def test_what_goes_wrong_gets_one_line(greeting: bytes, play: Play, why: str,
                                       serve: Callable[[bytes, Play], str],
                                       capsys: pytest.CaptureFixture[str]) -> None:
    assert main([serve(greeting, play)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and why in err and err.count("\n") == 1


def test_silence_ends(serve: Callable[[bytes, Play], str], capsys: pytest.CaptureFixture[str],
                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SECONDS", 0.2)
    assert main([serve(b"", qemu)]) == 2
    assert "no answer within 0.2 s" in capsys.readouterr().err


def test_no_socket(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{live.PREFIX}{tmp_path}/absent"]) == 2
    assert "No such file" in capsys.readouterr().err
