"""Messages, with C's own printf as the judge."""
from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoder.formats import MISSING, Site, escape
from decoder.records import Arg

LIBC = ctypes.CDLL(None)
S32, U32, S64, U64, POINTER, STRING, CHAR = range(1, 8)


def site(format: str, *types: int) -> Site:
    return Site(format, "core/x.c", "f", 12, 2, bytes(types))


def printf(format: str, *args: object) -> str:
    buffer = ctypes.create_string_buffer(4096)
    LIBC.snprintf(buffer, len(buffer), format.encode(), *args)
    return buffer.value.decode()


@given(st.sampled_from(["", "-", "0", "+", " ", "#", "-#", "0+", "#0"]),
       st.sampled_from(["", "1", "5", "12"]),
       st.sampled_from(["", ".0", ".3", ".10"]), st.sampled_from("diuxXo"), st.integers(-2**31, 2**31 - 1))
def test_int_as_in_c(flags: str, width: str, precision: str, letter: str, value: int) -> None:
    if precision == ".0" and value == 0:
        return      # C writes nothing, which no log needs
    if "#" in flags and letter == "o":
        return
    if "#" in flags and (precision or "0" in flags):
        return
    if "0" in flags and precision:
        return      # C ignores the flag
    if letter in "uxXo" and ("+" in flags or " " in flags):
        return      # undefined in C
    format = f"a %{flags}{width}{precision}{letter} b"
    for kind in (S32, U32):
        arg = value if kind == S32 else value & 0xFFFF_FFFF
        assert site(format, kind).message([arg]) == printf(format, ctypes.c_int(value))


@given(st.sampled_from(["ld", "lu", "lx", "lld", "llu", "llx", "zu", "zx", "#lx", "016lx"]),
       st.integers(-2**63, 2**64 - 1))
def test_long_as_in_c(conversion: str, value: int) -> None:
    format = f"%{conversion}"
    expected = printf(format, ctypes.c_uint64(value & 2**64 - 1))
    signed = (value & 2**64 - 1) - (1 << 64 if value & 1 << 63 else 0)
    assert site(format, U64).message([value & 2**64 - 1]) == expected
    assert site(format, S64).message([signed]) == expected


@pytest.mark.parametrize("format, types, args, text", [
    ("zeroing section %d of %s", [S32, STRING], [3, b"pal"], "zeroing section 3 of pal"),
    ("%-6s|%6s|%.2s|", [STRING] * 3, [b"ab", b"cd", b"efgh"], "ab    |    cd|ef|"),
    ("%c%c", [CHAR, S32], [65, 66], "AB"),
    ("at %p, %16p.", [POINTER, POINTER], [0xFFFF800000001000, 0], "at 0xffff800000001000,              0x0."),
    ("%*d and %.*s", [S32, U32, S32, STRING], [4, 7, 2, b"xyz"], "   7 and xy"),
    ("100%% of %d%%\n", [U32], [5], "100% of 5%"),
    ("no arguments", [], [], "no arguments"),
    ("escape\tme", [], [], "escape\\tme"),
    ("%s", [STRING], [b"\x1b[2J\r\n\xff"], "\\x1b[2J\\r\\n\\xff"),
    ("%hhx %hx", [U32, U32], [255, 4096], "ff 1000"),
])
def test_messages(format: str, types: list[int], args: list[Arg], text: str) -> None:
    assert site(format, *types).message(args) == text


def test_missing_arguments_are_marked() -> None:
    one = site("a %d b %s c", S32, STRING)
    assert one.message([]) == "a " + MISSING
    assert one.message([1]) == "a 1 b " + MISSING


def test_arguments_that_do_not_fit_are_shown() -> None:
    assert site("%d", STRING).message([b"text"]) == "%d <- 'text'"
    assert site("plain", S32).message([5]) == "plain <- 5"


@given(st.text(max_size=40), st.lists(st.integers(1, 7), max_size=4),
       st.lists(st.one_of(st.integers(-2**63, 2**64), st.binary(max_size=9)), max_size=5))
def test_any_format_and_arguments(format: str, types: list[int], args: list[Arg]) -> None:
    message = site(format, *types).message(args)
    assert message.isprintable()


@given(st.text(max_size=50))
def test_escaped_text_moves_no_cursor(text: str) -> None:
    assert escape(text).isprintable()
