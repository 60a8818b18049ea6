"""A running demo on the screen: a pane a CPU with the tail of its trace, and the progress of the loops.

On a pipe the lines are printed as they come, without colour or panes.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Callable, Iterator

from rich.columns import Columns
from rich.console import Console as Screen, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from ci.logview import Line
from ci.session import Session

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red", "bright_cyan", "bright_magenta")
LEVELS = {"error": "bold red", "warn": "bold yellow", "debug": "dim", "trace": "dim"}

Watch = Callable[[Session], None]


@contextmanager
def show(screen: Screen, cpus: int) -> Iterator[Watch]:
    """A `watch` for Session.run that shows what is new at each look."""
    if not screen.is_terminal:
        yield Plain().watch
        return
    panes = Panes(screen, cpus)
    with Live(panes.render(), console=screen, refresh_per_second=8, transient=True) as live:

        def watch(session: Session) -> None:
            if panes.take(session):
                live.update(panes.render())

        yield watch


class Plain:
    """Line by line, for pipes and files."""

    def __init__(self) -> None:
        self._shown = 0
        self._progress: dict[str, tuple[int, int]] = {}

    def watch(self, session: Session) -> None:
        for line in session.log.lines[self._shown:]:
            print(line)
        self._shown = len(session.log.lines)
        for name, (done, total) in session.console.progress.items():
            if self._progress.get(name) != (done, total):
                print(f"{name}: {done} of {total}", flush=True)
        self._progress = dict(session.console.progress)


class Panes:
    """The tail of each CPU's trace, side by side."""

    def __init__(self, screen: Screen, cpus: int) -> None:
        self._screen = screen
        self._tails: list[list[Line]] = [[] for _ in range(cpus)]
        self._shown = 0
        self._last = ""  # the guest's last console line
        self._bars = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                              TimeElapsedColumn())
        self._tasks: dict[str, TaskID] = {}

    def take(self, session: Session) -> bool:
        """Take in what is new since the last look; was there anything?"""
        new = session.log.lines[self._shown:]
        self._shown += len(new)
        height = self._height()
        for line in new:
            if line.cpu is not None and line.cpu < len(self._tails):
                tail = self._tails[line.cpu]
                tail.append(line)
                del tail[:-height]
        last = next((line for line in reversed(session.console.lines[-5:]) if line.strip()), "")
        changed = bool(new) or last != self._last
        self._last = last
        for name, (done, total) in session.console.progress.items():
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=total)
            self._bars.update(self._tasks[name], completed=done)
        return changed

    def _height(self) -> int:
        rows = (len(self._tails) + 1) // 2
        return max(2, (self._screen.height - 6) // rows - 2)

    def render(self) -> RenderableType:
        columns = min(2, len(self._tails))
        width = self._screen.width // columns - 1
        height = self._height()
        panes = []
        for cpu, tail in enumerate(self._tails):
            colour = COLOURS[cpu % len(COLOURS)]
            text = Text(no_wrap=True, overflow="ellipsis")
            for line in tail[-height:]:
                text.append(f"{line.seconds:10.6f} ", style="dim")
                text.append(f"{line.text}\n", style=LEVELS.get(line.level, colour))
            panes.append(Panel(text, title=f"CPU {cpu}", border_style=colour, width=width, height=height + 2))
        guest = Text(f"guest: {self._last}", style="dim", no_wrap=True, overflow="ellipsis")
        return Group(Columns(panes, padding=0), guest, self._bars)
