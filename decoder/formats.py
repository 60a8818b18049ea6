"""A call site of the log and its printf-style message, from the arguments that a record carries. Pure
functions; never raises.
"""
from __future__ import annotations

import re
from typing import Callable, NamedTuple, Optional, Sequence

from .records import Arg
from .wire import TYPE_CHAR, TYPE_POINTER, TYPE_S32, TYPE_S64, TYPE_U32, TYPE_U64

MISSING = "<cut>"
_CONVERSION = re.compile(r"%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+))?(?:hh|h|ll|l|z|j|t)?(p[SB]|[diuxXopcs%])")
_BITS = {TYPE_S32: 32, TYPE_U32: 32, TYPE_S64: 64, TYPE_U64: 64, TYPE_POINTER: 64, TYPE_CHAR: 8}

Convert = Callable[[Arg], object]        # an argument -> what Python's % takes
Namer = Callable[[int, bool], str]      # a code address, and whether it is one to return to -> its name


def no_names(address: int, returns: bool) -> str:
    return f"{address:#x}"


class Piece(NamedTuple):
    """A conversion of a format with the text before it. `args` is how many arguments it takes (a width of
    '*' takes one of its own).
    """

    before: str
    python: str
    args: tuple[Convert, ...]


def escape(text: str) -> str:
    """Nothing in a message may move the reader's cursor: control characters become \\xNN, a line break
    \\n.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def plain(data: bytes) -> str:
    """Bytes of a string as text; what is not UTF-8 as \\xNN."""
    return data.decode("utf-8", "backslashreplace")


def show(arg: Arg) -> str:
    """An argument without its format."""
    return repr(plain(arg)) if isinstance(arg, bytes) else str(arg)


class Site:
    """One entry of braid_log."""

    __slots__ = ("file", "function", "line", "level", "format", "types",
                 "_pieces", "_tail", "_whole", "_converts")

    def __init__(self, format: str, file: str, function: str, line: int, level: int, types: bytes,
                 names: Namer = no_names) -> None:
        self.format = format
        self.file = file
        self.function = function
        self.line = line
        self.level = level
        self.types = types
        self._pieces, self._tail = compile_format(format.rstrip("\n"), types, names)
        heads = [piece.before.replace("%", "%%") + piece.python for piece in self._pieces]
        self._whole = "".join(heads) + self._tail.replace("%", "%%")
        self._converts = [convert for p in self._pieces for convert in p.args]

    def message(self, args: Sequence[Arg]) -> str:
        """The message, with control characters escaped. If arguments are missing, MISSING stands where the
        first of them belongs.
        """
        if len(args) == len(self._converts):
            try:
                return escape(self._whole % tuple([convert(a) for convert, a in zip(self._converts, args)]))
            except (TypeError, ValueError, OverflowError, MemoryError):
                return escape(self.format) + " <- " + escape(", ".join(map(show, args)))
        return escape(self._partial(args))

    def template(self) -> tuple[Optional[str], list[Convert]]:
        """For many messages at once: a format that gives the escaped message if its strings are escaped
        before; None if there is no such one.
        """
        texts = [p.python for p in self._pieces for c in p.args if not isinstance(c, (Signed, Unsigned))]
        good = self._whole.isprintable() and all(python == "%s" for python in texts)
        return (self._whole if good else None), self._converts

    def _partial(self, args: Sequence[Arg]) -> str:
        out = []
        at = 0
        for piece in self._pieces:
            out.append(piece.before)
            mine = args[at:at + len(piece.args)]
            at += len(piece.args)
            if len(mine) < len(piece.args):
                return "".join(out) + MISSING
            try:
                out.append(piece.python % tuple([convert(a) for convert, a in zip(piece.args, mine)]))
            except (TypeError, ValueError, OverflowError, MemoryError):
                out.append(", ".join(map(show, mine)))
        out.append(self._tail)
        if at < len(args):
            out.append(" <- " + ", ".join(map(show, args[at:])))
        return "".join(out)


def compile_format(format: str, types: bytes, names: Namer = no_names) -> tuple[list[Piece], str]:
    """The conversions of a C format as Python's, and the text behind the last. As in Linux's printk, %pS is
    the name of a code address, %pB that of a return address.
    """
    pieces = []
    before = ""
    at = used = 0
    for found in _CONVERSION.finditer(format):
        before += format[at:found.start()]
        at = found.end()
        flags, width, precision, letter = found.groups()
        if letter == "%":
            before += "%"
            continue
        converts: list[Convert] = []
        for star in (width, precision):
            if star == "*":
                converts.append(starred)
                used += 1
        kind = types[used] if used < len(types) else TYPE_S64
        used += 1
        if letter in ("pS", "pB"):
            letter, convert = "s", _place(names, letter == "pB")
        else:
            letter, convert = _convert(letter, kind, "#" in flags)
        if letter == "s":
            flags = flags.replace("0", "").replace("#", "").replace("+", "").replace(" ", "")
        converts.append(convert)
        width = "" if width is None else _limit(width)
        precision = "" if precision is None else "." + _limit(precision)
        pieces.append(Piece(before, f"%{flags}{width}{precision}{letter}", tuple(converts)))
        before = ""
    return pieces, before + format[at:]


def _limit(number: str) -> str:
    """No format of ours is wider than a line; a broken one must not cost memory."""
    return number if number == "*" else str(min(int(number[:9]), 1000))


def _convert(letter: str, kind: int, alternate: bool) -> tuple[str, Convert]:
    """Python's conversion letter, and what to do to an argument of this type first."""
    bits = _BITS.get(kind, 64)
    if letter == "s":
        return "s", Text()
    if letter == "c":
        return "s", character
    if letter == "p":
        return "s", pointer
    if letter in "di":
        return "d", Signed(bits)
    if alternate and letter in "xX":
        return "s", _alternate(letter, bits)
    return ("d" if letter == "u" else letter), Unsigned(bits)


def starred(arg: Arg) -> int:
    """A width or precision of '*': _limit() for those that come with the arguments."""
    return max(-1000, min(1000, Signed(32)(arg)))


def _number(arg: Arg) -> int:
    if isinstance(arg, int):
        return arg
    raise TypeError("a string where a number belongs")


class Text:
    """Of a string."""

    def __call__(self, arg: Arg) -> str:
        return plain(arg) if isinstance(arg, bytes) else str(arg)


class Unsigned:
    """Of the low bits of a number."""

    def __init__(self, bits: int) -> None:
        self.mask = (1 << bits) - 1

    def __call__(self, arg: Arg) -> int:
        return _number(arg) & self.mask


class Signed:
    """Of the low bits of a number, whose top one is the sign."""

    def __init__(self, bits: int) -> None:
        self.bits = bits

    def __call__(self, arg: Arg) -> int:
        value = _number(arg) & (1 << self.bits) - 1
        return value - (1 << self.bits) if value >> self.bits - 1 else value


def character(arg: Arg) -> str:
    return chr(_number(arg) & 255)


def pointer(arg: Arg) -> str:
    return f"{_number(arg):#x}"


def _place(names: Namer, returns: bool) -> Convert:
    return lambda arg: names(_number(arg), returns)


def _alternate(letter: str, bits: int) -> Convert:
    """C writes 0 for a zero with '#'; Python would write 0x0."""
    mask = (1 << bits) - 1

    def convert(arg: Arg) -> str:
        value = _number(arg) & mask
        return format(value, "#" + letter) if value else "0"
    return convert
