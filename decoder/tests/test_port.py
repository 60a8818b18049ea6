"""A serial port: a pseudo terminal plays its part, and hangs up."""
from __future__ import annotations

import os
import subprocess
import sys
import threading
import tty
from typing import Iterator

import pytest

from .test_cli import ROOT, capture
from .test_follow import Follower


@pytest.fixture
def port() -> Iterator[tuple[int, int, str]]:
    """The far end, our own hold on the near one, and its name."""
    far, near = os.openpty()
    tty.setraw(near)
    yield far, near, os.ttyname(near)
    for end in (far, near):
        try:
            os.close(end)
        except OSError:
            pass        # the test closed it


def hang_up(far: int, near: int) -> None:
    os.close(near)
    os.close(far)


def test_decode_ends_when_the_port_hangs_up(port: tuple[int, int, str]) -> None:
    far, near, name = port
    process = subprocess.Popen([sys.executable, "-m", "decoder", "--baud", "9600", name], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    watchdog = threading.Timer(30, process.kill)
    watchdog.start()
    try:
        os.write(far, capture())
        assert process.stdout is not None
        while "cpu 3 line 2" not in process.stdout.readline():      # at once, while the port is there
            assert process.poll() is None
        hang_up(far, near)
        _, err = process.communicate()
        assert process.returncode == 0 and f"{name}: 11 lines in 15 frames, 1 frames lost" in err
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def test_follow_says_that_it_hung_up(port: tuple[int, int, str]) -> None:
    far, near, name = port
    follower = Follower(name)
    os.write(far, capture())
    follower.until("cpu 3 line 2")
    hang_up(far, near)
    follower.until(f"{name} went away at")
    status, err = follower.end()
    assert status == 0 and "11 lines in 15 frames" in err
