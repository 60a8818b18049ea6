"""The UART test can fail, and so can its negative control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import pytest

from ci import uart
from ci.bochs import Ended


@dataclass
class Log:
    frames_lost: int
    damaged: int = 0
    stray_bytes: int = 0
    dropped: int = 0
    cut: int = 0


LANES = b"".join(bytes([lane << 6]) * uart.BYTES for lane in range(4))
FIFO, FIFO_OFF, NO_FIFO = uart.Case(4), uart.Case(4, fifo="off"), uart.Case(4, fifo="none")
STOPPED = uart.Case(4, "stopped", "none")
CROWD = uart.Case(15, "uart-nmi")  # more contexts than the FIFO is deep
OVERRUN = "[COM1  ] com1: transmit FIFO overflow\n"


@pytest.mark.parametrize("case, status, wire, log, why", [
    (FIFO, 0, LANES, Log(0), ""),
    (FIFO, 0, LANES, Log(1), "1 frames lost"),
    (FIFO, 0, LANES[:-1], Log(0), "cpu3: 19999 bytes"),
    (FIFO, 0, b"", Log(0), "cpu0: 0 bytes"),
    (FIFO, 1, LANES, Log(0), "status 1"),
    (FIFO, None, LANES, Log(0), "did not end"),
    (FIFO_OFF, 0, LANES[:-100], Log(5), ""),
    (FIFO, 0, LANES, Log(0, 2), "2 damaged"),
    (FIFO_OFF, 0, LANES, Log(0, 2), ""),
    (FIFO, 0, LANES, Log(0, 0, 3), "3 stray bytes"),
    (FIFO_OFF, 0, LANES, Log(0, 0, 3), ""),
    (FIFO_OFF, 0, LANES, Log(0), "no loss was seen"),
    (NO_FIFO, 0, LANES, Log(0), ""),
    (NO_FIFO, 0, LANES, Log(1), "1 frames lost"),
    (NO_FIFO, 0, LANES, Log(0, dropped=4), "4 records not sent"),
    (NO_FIFO, 0, LANES, Log(0, cut=1), "1 frames were cut"),
    (STOPPED, 0, LANES[uart.BYTES:], Log(0, cut=1), ""),
    (STOPPED, 0, LANES, Log(0), "0 frames were cut"),
    (STOPPED, 0, LANES[:-1], Log(0, cut=1), "cpu3: 19999 bytes"),
    (CROWD, 0, LANES, Log(3), ""),
])
def test_judge(case: uart.Case, status: Optional[int], wire: bytes, log: Log, why: str) -> None:
    said = uart.judge(case, Ended(status, wire, ""), log)  # type: ignore[arg-type]
    assert bool(said) == bool(why) and why in said


def test_overruns_must_be_seen() -> None:
    assert "1 bytes overrun" in uart.judge(FIFO, Ended(0, LANES, OVERRUN), Log(1))  # type: ignore[arg-type]
    assert "saw no loss" in uart.judge(CROWD, Ended(0, LANES, OVERRUN), Log(0))  # type: ignore[arg-type]
    assert not uart.judge(CROWD, Ended(0, LANES, OVERRUN), Log(1))  # type: ignore[arg-type]
