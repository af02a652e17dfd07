"""Where output goes: text and JSON on stdout, tables as wide as the terminal.

Names, notes and messages come from files and stores of strangers: what would steer a terminal is
shown as its escape. rich is loaded with the first table: errors come without one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

_PIPE_COLUMNS = 100_000  # wider than any row
_STEERING = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"
}
_BREAKING = {**_STEERING, ord("\n"): r"\n"}


def print_text(text: str) -> None:
    """Print one line, whatever names stand in it."""
    sys.stdout.write(f"{show_line(text)}\n")


def print_lines(text: str) -> None:
    """Print a text of several lines."""
    sys.stdout.write(f"{show_plainly(text)}\n")


def print_json(value: object) -> None:
    """Print one JSON value; no NaN can get in."""
    encoding = sys.stdout.encoding or "utf-8"
    is_utf8 = encoding.lower().startswith("utf")
    sys.stdout.write(json.dumps(value, ensure_ascii=not is_utf8, indent=2, allow_nan=False) + "\n")


def show_plainly(text: str) -> str:
    """Return text in which nothing steers a terminal; line ends and tabs stay."""
    return text.translate(_STEERING)


def show_line(text: str) -> str:
    """Return text that also stays one line: a file's name may hold the end of one."""
    return text.translate(_BREAKING)


def print_table(
    columns: dict[str, str], rows: Sequence[tuple[str | list[str], ...]], title: str = ""
) -> None:
    """Print a table.

    Args:
        columns: Heading -> `left` or `right`.
        rows: One text per column, or a list of lines. A terminal folds long texts, never cuts
            them; elsewhere a text is one line, so that no id is broken for the next command.
        title: A line above it.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console(
        width=None if sys.stdout.isatty() else _PIPE_COLUMNS,
        highlight=False,
        markup=False,
        emoji=False,
    )
    table = Table(title=show_line(title) or None, title_justify="left", box=None, pad_edge=False)
    for heading, side in columns.items():
        table.add_column(heading, justify="right" if side == "right" else "left", overflow="fold")
    for row in rows:
        cells = ([cell] if isinstance(cell, str) else cell for cell in row)
        table.add_row(*("\n".join(map(show_line, lines)) for lines in cells))
    console.print(table)
