"""How far a long command is: a bar for who watches, else a line at times."""

import time
from types import TracebackType
from typing import Any, Final, Self

import click

_LINE_SECONDS: Final = 30.0
_SHOWN_SECONDS: Final = 0.2


class RowProgress:
    """Rows done, rows a second, and the time left, on stderr.

    Args:
        interval: Seconds between two lines where stderr is no terminal.
    """

    def __init__(self, interval: float = _LINE_SECONDS) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._interval = (
            _SHOWN_SECONDS if self._console.is_terminal else interval
        )
        self._bar: Any = None
        self._first = self._shown = 0
        self._start = self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Shows how far it is, unless it was shown just now.

        Args:
            done: How many rows are done.
            total: Of how many.
        """
        now = time.monotonic()
        if not self._start:
            self._start = self._last = now
            # Those of a process before this one don't count for the rate.
            self._first = self._shown = done
            if self._console.is_terminal:
                self._begin(total)
            return
        if done == self._shown or (
            done < total and now - self._last < self._interval
        ):
            return
        self._last, self._shown = now, done
        rate = (done - self._first) / max(now - self._start, 1e-9)
        left = (total - done) / rate if rate else None
        if self._bar is not None:
            self._bar.update(0, completed=done, rate=rate, left=_time(left))
        else:
            click.echo(
                f"{done:,} of {total:,} rows, {rate:,.0f} rows/s, "
                f"{_time(left)} left",
                err=True,
            )

    def _begin(self, total: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(
            BarColumn(),
            TextColumn("{task.completed:,} of {task.total:,} rows"),
            TextColumn("{task.fields[rate]:,.0f} rows/s"),
            TextColumn("{task.fields[left]} left"),
            console=self._console,
        )
        self._bar.start()
        self._bar.add_task(
            "", total=total, completed=self._first, rate=0.0, left=_time(None)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.stop()


def _time(seconds: float | None) -> str:
    """Returns a span of time as one reads it: `1 h 05 min`."""
    if seconds is None:
        return "? min"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min"
