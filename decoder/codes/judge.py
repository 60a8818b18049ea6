"""Braid's log, or another system's? The interface of stream.Decoder over both readers.

Some bytes must have come before that can be told: HEAD of them, or a silence, or a banner's preamble.
Firmware that speaks of its CPUs looks like the older system's log; so a preamble ends what was taken for
foreign.
"""
from __future__ import annotations

from typing import Optional, Union

from ..banner import PREAMBLE, held
from ..events import Event
from ..stats import Stats
from ..stream import Decoder
from .reader import Reader, reader_for

HEAD = 4096


class Judge:
    def __init__(self, braid: Decoder) -> None:
        self._braid = braid
        self._reader: Union[Decoder, Reader] = braid
        self._head: Optional[bytes] = b""       # until it is judged
        self._tail = b""        # of a foreign log: its last bytes, if they may begin a preamble

    @property
    def stats(self) -> Stats:
        return self._reader.stats

    def feed(self, data: bytes) -> list[Event]:
        if self._head is None:
            return self._feed(data)
        self._head += data
        return self._judge() if len(self._head) >= HEAD or PREAMBLE in self._head else []

    def idle(self) -> list[Event]:
        return self._judge() + self._reader.idle()

    def finish(self) -> list[Event]:
        out = self._judge()
        if self._tail:
            out += self._reader.feed(self._tail)
            self._tail = b""
        return out + self._reader.finish()

    def _judge(self) -> list[Event]:
        if not self._head:
            return []
        head, self._head = self._head, None
        self._reader = reader_for(head) or self._braid
        return self._feed(head)

    def _feed(self, data: bytes) -> list[Event]:
        if not isinstance(self._reader, Reader):
            return self._reader.feed(data)
        data = self._tail + data
        at = data.find(PREAMBLE)
        end = at if at >= 0 else len(data) - held(data)
        data, self._tail = data[:end], data[end:]
        out = self._reader.feed(data)
        if at >= 0:
            out += self._reader.finish()
            self._braid.skip(self._reader.stats.bytes)
            self._reader = self._braid
            out += self._braid.feed(self._tail)
            self._tail = b""
        return out
