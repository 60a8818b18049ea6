"""What was read, counted: per lane, and in all."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Union


@dataclass(slots=True)
class LaneStats:
    frames: int = 0         # valid ones, SYNC included
    lines: int = 0          # whole records
    text_bytes: int = 0     # their messages as plain text (without time, CPU and function), a line feed each
    wire_bytes: int = 0     # valid frames with their START and END
    lost: list[int] = field(default_factory=lambda: [0, 0, 0, 0])       # frames, per context
    dropped: list[int] = field(default_factory=lambda: [0, 0, 0, 0])    # records left in the ring only
    damaged: int = 0        # frames that were begun and are not valid; the next one finds them lost as well
    cut: int = 0            # frames that were open at the end of the capture or of a boot
    repeated: int = 0       # frames that came twice in a row, and count once

    @property
    def frames_lost(self) -> int:
        return sum(self.lost)

    def summary(self) -> dict[str, Union[int, float]]:
        """For JSON."""
        lines = self.lines or 1
        return {
            "frames": self.frames,
            "frames_lost": self.frames_lost,
            "lines": self.lines,
            "text_bytes": self.text_bytes,
            "wire_bytes": self.wire_bytes,
            "dropped": sum(self.dropped),
            "damaged": self.damaged,
            "cut": self.cut,
            "repeated": self.repeated,
            "wire_bytes_per_line": round(self.wire_bytes / lines, 2),
            "text_bytes_per_line": round(self.text_bytes / lines, 2),
        }


@dataclass
class Stats:
    bytes: int = 0          # all that was fed
    foreign_bytes: int = 0  # bytes that belong to no valid frame and no banner: firmware, boot loader, damage
    stray_bytes: int = 0    # of these, bytes that no text has: what damage leaves where no frame begins
    boots: int = 0          # banners
    lanes: dict[int, LaneStats] = field(default_factory=dict)

    def lane(self, lane: int) -> LaneStats:
        """The lane's own counters, made when it first speaks."""
        stats = self.lanes.get(lane)
        if stats is None:
            stats = self.lanes[lane] = LaneStats()
        return stats

    def total(self) -> LaneStats:
        """The sum over all lanes."""
        total = LaneStats()
        for one in self.lanes.values():
            for name in ("frames", "lines", "text_bytes", "wire_bytes", "damaged", "cut", "repeated"):
                setattr(total, name, getattr(total, name) + getattr(one, name))
            total.lost = [a + b for a, b in zip(total.lost, one.lost)]
            total.dropped = [a + b for a, b in zip(total.dropped, one.dropped)]
        return total

    @property
    def frames(self) -> int:
        return self.total().frames

    @property
    def frames_lost(self) -> int:
        return self.total().frames_lost

    @property
    def lines(self) -> int:
        return self.total().lines

    @property
    def text_bytes(self) -> int:
        return self.total().text_bytes

    @property
    def wire_bytes(self) -> int:
        return self.total().wire_bytes

    def summary(self) -> dict[str, Any]:
        """For JSON: the sums, and each lane's own under "cpus"."""
        return {
            **self.total().summary(),
            "bytes": self.bytes,
            "foreign_bytes": self.foreign_bytes,
            "stray_bytes": self.stray_bytes,
            "boots": self.boots,
            "cpus": {str(lane): one.summary() for lane, one in sorted(self.lanes.items())},
        }
