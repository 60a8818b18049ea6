"""The decoder: bytes in, events out. This is what a program that reads a machine's log needs:

    decoder = Decoder("build/braid.elf")
    for chunk in chunks:
        for event in decoder.feed(chunk): ...
    for event in decoder.finish(): ...
    decoder.stats.frames_lost

feed(), idle() and finish() do no I/O (but that a new build-id makes it look for its ELF), take constant
memory and never raise, whatever the bytes are.
"""
from __future__ import annotations

from typing import Optional, Union

from . import wire
from .banner import PREAMBLE, Banner, held, line_end, parse
from .detect import Found, Seeker
from .elf import Finder
from .events import Boot, Event, Note
from .foreign import ForeignTrace
from .session import Session
from .stats import Stats

CHUNK = 1 << 16     # bytes that are taken at once
BLOCK = 1 << 20     # and for Blocks


class Decoder:
    """`elf`: the ELF that made the capture (a path; ElfError if it cannot be read), or a Finder; without
    it, one that matches the capture's build-id is looked for in build/.
    """

    def __init__(self, elf: Union[str, Finder, None] = None, blocks: bool = False) -> None:
        """`blocks`: give clean records as Blocks of text where that is quicker (see events.py)."""
        self.stats = Stats()
        self.finder = elf if isinstance(elf, Finder) else Finder([elf] if elf is not None else [])
        self._blocks = blocks
        self._foreign = ForeignTrace()
        self._seeker: Optional[Seeker] = Seeker()
        self._session: Optional[Session] = None
        self._banner: Optional[Banner] = None
        self._in_banner = False
        self._rest = b""        # the last bytes that were fed, and may be the beginning of a banner
        self._at = 0            # position in the capture of the first byte that is not worked off

    def feed(self, data: bytes) -> list[Event]:
        """The next bytes of the capture, in pieces of any size. Returns what they complete."""
        out: list[Event] = []
        self.stats.bytes += len(data)
        i = 0
        while i < len(data):
            size = BLOCK if self._blocks and self._session is not None else CHUNK
            self._rest += data[i:i + size]
            i += size
            out += self._work()
        self._count_foreign()
        return out

    def idle(self) -> list[Event]:
        """The input has been silent for a while: shows what was held back for the sake of its order, or to
        see what it is.
        """
        out: list[Event] = []
        out += self._seek(self._at, last=True)
        if self._seeker is not None:
            out += self._text(self._seeker.release(len(self._seeker.held)), self._at)
        out += self._foreign.release(self._at, -1)
        out += self._foreign.flush()
        self._count_foreign()
        return out

    def finish(self) -> list[Event]:
        """The capture is over: what is still open is cut. Then the next feed() begins with a new machine."""
        out: list[Event] = []
        if self._in_banner:
            out += self._boot(self._take(len(self._rest)))
        else:
            out += self._body(self._take(len(self._rest)))
        out += self._end()
        self._count_foreign()
        return out

    def skip(self, size: int) -> None:
        """So many bytes came before the first that is fed. Another reader showed them: they are foreign."""
        self._at += size
        self.stats.bytes += size
        self._foreign.total += size

    def _work(self) -> list[Event]:
        out: list[Event] = []
        while True:
            if self._in_banner:
                size = line_end(self._rest)
                if size < 0:
                    return out
                out += self._boot(self._take(size))
            found = self._rest.find(PREAMBLE)
            if found < 0:
                out += self._body(self._take(len(self._rest) - held(self._rest)))
                return out
            out += self._body(self._take(found))
            out += self._end()
            self._take(len(PREAMBLE))
            self._in_banner = True

    def _take(self, size: int) -> bytes:
        data, self._rest = self._rest[:size], self._rest[size:]
        self._at += size
        return data

    def _body(self, data: bytes) -> list[Event]:
        """Bytes between banners, which end at self._at."""
        out: list[Event] = []
        while data and self._seeker is not None:
            seeker, size = self._seeker, self._seeker.room
            piece, data = data[:size], data[size:]
            end = self._at - len(data)
            out += self._text(seeker.feed(piece), end - len(seeker.held))
            out += self._seek(end, last=False)
            if self._seeker is not None and seeker.excess():
                text = seeker.release(seeker.excess())
                out += self._text(text, end - len(seeker.held))
        if not data:
            return out
        if self._session is None:
            return out + self._text(data, self._at)
        take = self._session.blocks if self._blocks else self._session.feed
        return out + take(data, self._at - len(data))

    def _seek(self, end: int, last: bool) -> list[Event]:
        """`end`: position behind what the seeker holds."""
        if self._seeker is None:
            return []
        found = self._seeker.found(last)
        if found is None:
            return []
        data, self._seeker = self._seeker.held, None
        session = self._new_session(found.t, self._banner is not None)
        return self._join(session, found) + session.feed(data, end - len(data))

    def _text(self, data: bytes, end: int) -> list[Event]:
        self._foreign.total += len(data)
        return list(self._foreign.text(data, end - len(data)))

    def _join(self, session: Session, found: Found) -> list[Event]:
        """A stream without a banner that can be read."""
        self._session = session
        out: list[Event] = [Note(text=f"no banner: read with t={found.t}, which gives valid frames")]
        if found.identity is not None:
            one = found.identity
            return out + session.identify(one.build, one.shift, one.khz, one.epoch, True)
        session.lookup, note = self.finder.unnamed()
        return out + ([note] if note is not None else [])

    def _boot(self, line: bytes) -> list[Event]:
        """A banner: a new machine."""
        self._in_banner = False
        self.stats.boots += 1
        self._banner = banner = parse(line)
        out: list[Event] = [Boot(text=banner.text, fields=banner.fields)]
        if banner.version not in (None, wire.FORMAT_VERSION):
            text = f"format {banner.version}, this decoder reads {wire.FORMAT_VERSION}: shown as foreign"
            self._session = self._seeker = None
            return out + [Note(text=text)]
        if banner.t is None:
            self._session, self._seeker = None, Seeker()
            return out + [Note(text="the banner is damaged: the tag width will be found by trying")]
        self._seeker = None
        self._session = session = self._new_session(banner.t, True)
        return out + session.identify(banner.build, banner.shift, banner.khz, banner.epoch, False)

    def _end(self) -> list[Event]:
        """A boot, or the capture, is over."""
        out: list[Event] = self._seek(self._at, last=True)
        if self._session is not None:
            out += self._session.finish(self._at)
        elif self._seeker is not None:
            out += self._text(self._seeker.release(len(self._seeker.held)), self._at)
        out += self._foreign.flush()
        self._session, self._seeker, self._banner = None, Seeker(), None
        return out

    def _new_session(self, t: int, from_start: bool) -> Session:
        return Session(t, from_start, self.stats, self._foreign, self.finder.choose)

    def _count_foreign(self) -> None:
        self.stats.foreign_bytes = self._foreign.total
        self.stats.stray_bytes = self._foreign.stray
