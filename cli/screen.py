"""Where the command's text goes: a console that looks the same in a terminal, in a pipe and in a log."""

from __future__ import annotations

import sys

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

PIPED_WIDTH = 100
"""Columns when the output is not a terminal, whose width would be anyone's guess."""

_WHOLE = ("status", "id", "at", "reader")
"""Headings of columns that are never cut or wrapped."""


def screen(*, stderr: bool = False) -> Console:
    """Return a console on stdout or stderr; colors and control codes only in a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPED_WIDTH
    return Console(file=stream, width=width, highlight=False, emoji=False)


def listing(title: str, *columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """Return an empty table that is narrow enough for whole order ids.

    Parameters
    ----------
    title
        Shown above, at the left.
    columns
        Headings from left to right.
    numbers
        Those of the columns that hold numbers: they are aligned at the right.
    """
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        title=escape(title),
        title_justify="left",
    )
    for column in columns:
        is_number = column in numbers
        table.add_column(column, justify="right" if is_number else "left", no_wrap=column in _WHOLE)
    return table
