"""The console's events, however the bytes come."""

from __future__ import annotations

from ci.console import Console

SAID = (b"\x1b[2J\r\nKASLR disabled: 'nokaslr' on cmdline.\r\n[    0.0] Linux version 6.1\r\nBRAID-INIT\r\n"
        b"PROGRESS 32 3\r\nFAILED 32 4, status 1: x\r\nPROGRESS 32 4\r\n"
        b"[ 1.0] noise RESULT 7\r\n")


def test_events() -> None:
    console = Console()
    console.feed(SAID, 5.0)
    assert console.entry_at == 5.0 and console.init_at == 5.0
    assert console.done == {"32": 4} and console.passed("32") == 3 and console.passed("64") == 0
    assert console.result == 7


def test_bytes_one_by_one() -> None:
    console = Console()
    for now, byte in enumerate(SAID):
        console.feed(bytes([byte]), float(now))
    assert console.result == 7
    assert console.boot_seconds == SAID.index(b"BRAID-INIT\r\n") + 11 - (SAID.index(b"cmdline.\r\n") + 9)


def test_last_line_without_newline() -> None:
    console = Console()
    console.feed(b"RESULT 0", 1.0)
    assert console.result is None
    console.close(2.0)
    assert console.result == 0


def test_no_init_no_boot_time() -> None:
    console = Console()
    console.feed(b"Linux version 6.1\n", 1.0)
    assert console.boot_seconds is None


def test_panic() -> None:
    console = Console()
    console.feed(b"[ 2.0] Kernel panic - not syncing: no init\n", 1.0)
    assert console.panic and "no init" in console.panic
