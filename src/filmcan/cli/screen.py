"""Where output goes: text and JSON on stdout, tables as wide as the terminal."""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.table import Table

_PIPE_COLUMNS = 120


def print_text(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def print_json(value: object) -> None:
    """Print one JSON value; no NaN can get in."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def print_table(columns: dict[str, str], rows: list[tuple[str, ...]], title: str = "") -> None:
    """Print a table.

    Args:
        columns: Heading -> `left` or `right`.
        rows: One text per column; long texts are folded, never cut.
        title: A line above it.
    """
    console = Console(
        width=None if sys.stdout.isatty() else _PIPE_COLUMNS,
        highlight=False,
        markup=False,
        emoji=False,
    )
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for heading, side in columns.items():
        table.add_column(heading, justify="right" if side == "right" else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)
