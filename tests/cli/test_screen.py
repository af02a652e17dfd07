"""What reaches standard output: nothing a stranger wrote steers a terminal or ends a command."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from filmcan.cli.failures import present_error
from filmcan.cli.logs import TextFormatter
from filmcan.cli.screen import print_json, print_lines, print_table, print_text
from filmcan.errors import NotFoundError
from filmcan.store.local import LocalBackend
from filmcan.testing.made_stores import write_run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HOSTILE = "a\x1b]0;title\x07\x9b31m\rb"
PLAIN = r"a\x1b]0;title\x07\x9b31m\x0db"


def test_nothing_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines(f"{HOSTILE}\n\tsecond")
    print_table({"name": "left"}, [(HOSTILE,)])
    told = capsys.readouterr().out
    assert told == f"{PLAIN}\n\tsecond\nname{' ' * (len(PLAIN) - 4)}\n{PLAIN}\n"
    present_error(NotFoundError(HOSTILE, where=HOSTILE, hint="Look."), as_json=False)
    assert capsys.readouterr().err == f"error: {PLAIN}\n  where: {PLAIN}\n  do:    Look.\n"


def test_no_name_begins_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\nerror: forged"
    print_text(f"where: {name}")
    print_table({"name": "left"}, [(name,), ([name, "second"],)], title=name)
    told = capsys.readouterr().out.splitlines()
    plain = r"a\nerror: forged"
    expected = [f"where: {plain}", plain, "name", plain, plain, "second"]
    assert [line.rstrip() for line in told] == expected
    present_error(NotFoundError(name, where=name, hint=name), as_json=False)
    assert len(capsys.readouterr().err.splitlines()) == 3
    record = logging.LogRecord("filmcan", logging.INFO, "", 1, "read %s", (name,), None)
    assert TextFormatter().format(record).endswith(f"read {plain}")


def test_a_row_is_one_line_for_the_next_command(capsys: pytest.CaptureFixture[str]) -> None:
    print_table({"a": "left", "b": "right"}, [("x" * 300, "1"), ("y", "22")])
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["x" * 300, "1"]
    assert second.split() == ["y", "22"]


def test_no_log_line_steers_the_terminal() -> None:
    record = logging.LogRecord("filmcan", logging.INFO, "", 1, "read %s", (HOSTILE,), None)
    assert TextFormatter().format(record).endswith(f"read {PLAIN}")


def test_json_is_json_whatever_standard_output_can_encode(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"name": "Käse, сыр, \U0001f9c0"}
    for encoding in ("utf-8", "latin-1", "ascii"):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
        print_json(value)
        sys.stdout.flush()
        assert json.loads(written.getvalue().decode(encoding)) == value


def test_text_beyond_what_standard_output_can_encode_is_told_by_its_escape(tmp_path: Path) -> None:
    store = tmp_path / "сыр"
    write_run(LocalBackend(store))
    done = subprocess.run(
        [sys.executable, "-m", "filmcan", "list", "сыр", "--platform-id", "none"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"No runs in \\u0441\\u044b\\u0440 that were asked for.\n"
