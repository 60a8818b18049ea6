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
def show(screen: Screen, cpus: int, loops: int) -> Iterator[Watch]:
    """A `watch` for Session.run that shows what is new at each look."""
    if not screen.is_terminal:
        yield Plain(loops).watch
        return
    panes = Panes(screen, cpus, loops)
    with Live(panes.render(), console=screen, refresh_per_second=8, transient=True) as live:

        def watch(session: Session) -> None:
            if panes.take(session):
                live.update(panes.render())

        yield watch


class Plain:
    """Line by line, for pipes and files."""

    def __init__(self, loops: int) -> None:
        self._loops = loops
        self._shown = 0
        self._done: dict[str, int] = {}

    def watch(self, session: Session) -> None:
        for line in session.log.lines[self._shown:]:
            print(line)
        self._shown = len(session.log.lines)
        for width, done in session.console.done.items():
            if self._done.get(width) != done:
                print(f"pal_demo, {width}-bit: {done} of {self._loops}", flush=True)
        self._done = dict(session.console.done)


class Panes:
    """The tail of each CPU's trace, side by side."""

    def __init__(self, screen: Screen, cpus: int, loops: int) -> None:
        self._screen = screen
        self._tails: list[list[Line]] = [[] for _ in range(cpus)]
        self._shown = 0
        self._last = ""  # the guest's last console line
        self._bars = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                              TimeElapsedColumn())
        self._tasks: dict[str, TaskID] = {
            width: self._bars.add_task(f"pal_demo, {width}-bit", total=loops) for width in ("32", "64")}

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
        for width, task in self._tasks.items():
            self._bars.update(task, completed=session.console.done.get(width, 0))
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
