"""One boot of the machine: from tagged bytes to events, with each lane's losses and times. No I/O,
constant memory, never raises.
"""
from __future__ import annotations

from typing import Callable, Iterator, Optional

from . import bulk, records, wire
from .events import Boot, Cut, Damage, Dropped, Event, Loss, Note, Record, Sync
from .foreign import ForeignTrace
from .formats import Site, escape, plain
from .frames import Frame, check, peek
from .lanes import ABANDONED, STRAY, WHOLE, Lanes, Piece
from .ledger import Account, Gap
from .render import line_of
from .stats import Stats
from .times import Base, ContextClock

Lookup = Callable[[int], Optional[Site]]
# Gives the call sites of a build by its id, which is sure or not, and a note if there is something to say
Choose = Callable[[bytes, bool], tuple[Optional[Lookup], Optional[Note]]]


class State:
    """A context of a lane."""

    __slots__ = ("account", "clock")

    def __init__(self, from_start: bool) -> None:
        self.account = Account(from_start)
        self.clock = ContextClock()


class Session:
    def __init__(self, t: int, from_start: bool, stats: Stats, foreign: ForeignTrace, choose: Choose) -> None:
        self.lanes = Lanes(t)
        self.base = Base()
        self.lookup: Optional[Lookup] = None
        self.epoch: Optional[int] = None
        self.epoch_sure = False     # a SYNC said it
        self.build = b""
        self.stats = stats
        self._foreign = foreign
        self._choose = choose
        self.states = [[State(from_start) for _ in range(4)] for _ in range(1 << t)]
        self._out: list[Event] = []
        self._tags_noted = False

    def identify(self, build: bytes, shift: int, khz: int, epoch: Optional[int], sure: bool) -> list[Event]:
        """What a banner, or a SYNC with identity, says about the boot. Only the SYNC is `sure`: no CRC guards
        a banner, so a build that it names wrongly must not have the right ELF refused. Returns what there is
        to say about the ELF.
        """
        if khz:
            self.base.set(shift, khz)
        if epoch is not None:
            self.epoch, self.epoch_sure = epoch, sure
        if not build or (self.build and (self.build.startswith(build) or build.startswith(self.build))):
            return []
        lookup, note = self._choose(build, sure)
        if lookup is None and not sure:
            return []
        self.build, self.lookup = build, lookup
        return [note] if note is not None else []

    def known(self, identity: records.Identity) -> bool:
        """Does it say what is known already?"""
        return (identity.version == wire.FORMAT_VERSION and identity.t == self.lanes.t
                and self.epoch_sure and identity.epoch == self.epoch and identity.khz == self.base.khz
                and identity.shift == self.base.shift and self.build.startswith(identity.build))

    def blocks(self, data: bytes, at: int) -> list[Event]:
        """As feed(), but clean pieces become Blocks of text, many frames at once."""
        if len(data) < bulk.LEAST or self._foreign.waits:
            return self.feed(data, at)
        block = bulk.take(self, data, at)
        if block is not None:
            return [block]
        out: list[Event] = []
        quarter = -(-len(data) // 4)
        for i in range(0, len(data), quarter):
            out += self.blocks(data[i:i + quarter], at + i)
        return out

    def feed(self, data: bytes, at: int) -> list[Event]:
        """`at`: position of the first byte in the capture."""
        out: list[Event] = []
        self._out = out
        for piece in self.lanes.feed(data, at):
            if piece.how == WHOLE:
                frame = check(piece.lane, piece.symbols, self.lanes.p)
                if isinstance(frame, Frame):
                    self._frame(frame, len(piece.symbols) + 2)
                else:
                    self._damage(piece, frame)
            elif piece.how == STRAY:
                self._foreign.add(piece.positions(), self._raw(piece))
            else:
                self._unfinished(piece)
        if self._foreign.waits:
            out += self._foreign.release(at + len(data), self.lanes.oldest())
        return out

    def finish(self, now: int) -> list[Event]:
        """The capture, or this boot, is over."""
        out: list[Event] = []
        self._out = out
        for piece in self.lanes.finish():
            self._unfinished(piece)
        out += self._foreign.release(now, -1)
        return out

    # Frames

    def _frame(self, frame: Frame, size: int) -> None:
        stats = self.stats.lane(frame.lane)
        state = self.states[frame.lane][frame.context]
        if state.account.repeats(frame.kind, frame.seq, frame.body):
            stats.repeated += 1
            return
        stats.frames += 1
        stats.wire_bytes += size
        try:
            if frame.kind == wire.KIND_SYNC:
                self._sync(frame)
                return
            gap = state.account.frame(frame.seq)
            if gap:
                self._lose(frame.lane, frame.context, gap)
            if frame.kind == wire.KIND_RECORD:
                self._record(frame, state, records.record(frame.body))
            elif frame.kind == wire.KIND_BATCH:
                for raw in records.batch(frame.body):
                    self._record(frame, state, raw)
            else:
                raise ValueError(f"frames of kind {frame.kind} are not known")
        except ValueError as error:
            stats.damaged += 1
            why = f"CRC fits, contents do not: {error}"
            self._out.append(Damage(frame.lane, frame.context, size=size, why=why))

    def _sync(self, frame: Frame) -> None:
        body = records.sync(frame.body)
        if body.identity is not None:
            self._identity(body.identity)
        lane, context = frame.lane, frame.context
        for c in range(context, 4):
            frames, dropped = body.counters.get(c, (0, 0))
            account = self.states[lane][c].account
            gap = account.sync(frames) if c == context else account.begun(frames)
            if gap:
                self._lose(lane, c, gap)
            drops = account.drops(dropped)
            if drops:
                self.stats.lane(lane).dropped[c] += drops
                self._out.append(self._stamp(Dropped(lane, c, count=drops)))
        self.states[lane][context].clock.sync(body.time)
        self.base.sure(body.time)
        apic_id = body.identity.apic_id if body.identity is not None else None
        self._out.append(self._stamp(Sync(lane, context, counters=body.counters, apic_id=apic_id)))

    def _identity(self, identity: records.Identity) -> None:
        if identity.version != wire.FORMAT_VERSION:
            raise ValueError(f"format {identity.version}, this decoder reads {wire.FORMAT_VERSION}")
        if identity.t != self.lanes.t and not self._tags_noted:
            self._tags_noted = True
            text = f"SYNC says t={identity.t}, it is read with t={self.lanes.t}: the banner was damaged"
            self._out.append(Note(text=text))
        if self.epoch is not None and identity.epoch != self.epoch and not self.epoch_sure:
            text = f"SYNC says epoch {identity.epoch}, not {self.epoch}: the banner was damaged"
            self._out.append(Note(text=text))
        elif self.epoch is not None and identity.epoch != self.epoch:
            text = f"epoch {identity.epoch} after {self.epoch}: a restart whose banner is missing"
            self._out.append(Boot(text=text, fields={"epoch": str(identity.epoch)}))
            self.states = [[State(True) for _ in range(4)] for _ in self.states]
            self.base = Base()
        self._out += self.identify(identity.build, identity.shift, identity.khz, identity.epoch, True)

    def _record(self, frame: Frame, state: State, raw: records.Raw) -> None:
        clock = state.clock
        ticks = clock.whole(raw.time, raw.bits, self.base.newest)
        clock.latest = ticks
        if ticks is not None and not clock.uncertain:
            self.base.sure(ticks)
        seconds = self.base.seconds(ticks)
        number = (state.account.next or 1) - 1      # its frame is in the account already
        event = Record(frame.lane, frame.context, ticks, seconds, clock.uncertain, seq=number, id=raw.id)
        wrong = self._fill(event, raw)
        if wrong:
            event.message += f" <- {wrong}"
        stats = self.stats.lane(frame.lane)
        stats.lines += 1
        text = event.message
        stats.text_bytes += (len(text) if text.isascii() else len(text.encode())) + 1
        self._out.append(event)

    def text_of(self, lane: int, context: int, ticks: int, raw: records.Raw) -> tuple[str, int]:
        """For bulk.py: the line of a record that came whole at a sure time, and the bytes of its message and
        a line feed.
        """
        event = Record(lane, context, ticks, self.base.seconds(ticks), id=raw.id)
        wrong = self._fill(event, raw)
        if wrong:
            event.message += f" <- {wrong}"
        return line_of(event) or "", len(event.message.encode()) + 1

    def _fill(self, event: Record, raw: records.Raw) -> str:
        """Level, place and message of a record. Returns what is wrong with its arguments."""
        if raw.id == 0:
            event.level = min(raw.payload[0], 4) if raw.payload else 2
            event.message = escape(plain(raw.payload[1:]).rstrip("\r\n"))
            return "" if raw.payload else "a text without its level"
        site = self.lookup(raw.id) if self.lookup is not None else None
        if site is None:
            event.message = f"#{raw.id} {raw.payload.hex(' ')}".rstrip()
            return ""
        args, wrong = records.arguments(raw.payload, site.types)
        event.level, event.file, event.function, event.line = site.level, site.file, site.function, site.line
        event.format = site.format
        event.args = tuple(args)
        event.message = site.message(args)
        return wrong

    # What is not whole

    def _lose(self, lane: int, context: int, gap: Gap) -> None:
        lost = self.stats.lane(lane).lost
        lost[context] = max(0, lost[context] + gap.count)
        self._out.append(self._stamp(Loss(lane, context, first=gap.first, count=gap.count, exact=gap.exact)))
        self.states[lane][context].clock.lost(gap.count)

    def _damage(self, piece: Piece, why: str) -> None:
        self.stats.lane(piece.lane).damaged += 1
        raw = self._raw(piece)
        self._foreign.add(piece.positions(), raw)
        self._out.append(self._stamp(Damage(piece.lane, max(piece.context, 0), size=len(raw), why=why)))

    def _unfinished(self, piece: Piece) -> None:
        """A frame without END. Its contents are shown only if it is the one that was expected: foreign
        text looks like frames, too.
        """
        frame, complete = peek(piece.lane, piece.symbols, self.lanes.p)
        abandoned = piece.how == ABANDONED
        why = "its END never came" if abandoned else "open at the end"
        if frame is not None and not self._expected(frame):
            self._damage(piece, why)
            return
        if abandoned:
            self._damage(piece, why)
        else:
            self.stats.lane(piece.lane).cut += 1
            size = len(piece.positions())
            self._out.append(self._stamp(Cut(piece.lane, max(piece.context, 0), size=size, why=why)))
        if frame is not None:
            self._out += self._partial(frame, "only its END is missing" if complete else why)

    def _expected(self, frame: Frame) -> bool:
        number = self.states[frame.lane][frame.context].account.next
        return frame.kind <= wire.KIND_SYNC and (number is None or number & 15 == frame.seq)

    def _partial(self, frame: Frame, why: str) -> Iterator[Record]:
        """The records that an unfinished frame holds, as far as they came."""
        state = self.states[frame.lane][frame.context]
        try:
            whole = [records.record(frame.body)] if frame.kind == wire.KIND_RECORD else []
            for raw in records.batch(frame.body, partial=True) if frame.kind == wire.KIND_BATCH else whole:
                ticks = state.clock.whole(raw.time, raw.bits, self.base.newest)
                seconds = self.base.seconds(ticks)
                event = Record(frame.lane, frame.context, ticks, seconds, state.clock.uncertain)
                event.seq = frame.seq if state.account.next is None else state.account.next
                event.id = raw.id
                event.cut = why
                self._fill(event, raw)
                yield event
        except ValueError:
            return      # not even its time had come

    def _raw(self, piece: Piece) -> bytes:
        """The piece as it was on the wire."""
        tag = piece.lane << self.lanes.p & 255
        raw = bytes([tag | symbol for symbol in piece.symbols])
        if piece.how == STRAY:
            return raw
        raw = bytes((tag | self.lanes.start,)) + raw
        return raw + bytes((tag | self.lanes.end,)) if piece.how == WHOLE else raw

    def _stamp(self, event: Event) -> Event:
        """An event that has no time of its own gets the latest of its context."""
        clock = self.states[event.lane][event.context].clock
        event.ticks, event.uncertain = clock.latest, clock.uncertain
        event.seconds = self.base.seconds(event.ticks)
        return event
