"""Progress bars: what they show on a terminal, and that they are silent elsewhere."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from filmcan.cli.progress import RunProgress, StoreProgress

if TYPE_CHECKING:
    import pytest


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def watch(monkeypatch: pytest.MonkeyPatch) -> _Terminal:
    """Return what is drawn on stderr from now on, which takes itself for a terminal."""
    drawn = _Terminal()
    monkeypatch.setattr(sys, "stderr", drawn)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return drawn


def test_a_name_is_drawn_as_it_is_whatever_brackets_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = watch(monkeypatch)
    with RunProgress("[/x] [red]film.mp4") as progress:
        progress.on_progress(0.25)
    assert "[/x] [red]film.mp4" in terminal.getvalue()
    assert "25%" in terminal.getvalue()


def test_a_bar_appears_with_its_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = watch(monkeypatch)
    with StoreProgress("fsck"):
        pass
    assert "fsck" not in terminal.getvalue()
    with StoreProgress("fsck") as progress:
        progress.on_step(0.5, "youtube/abc")
    assert "fsck youtube/abc" in terminal.getvalue()


def test_nothing_is_drawn_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with StoreProgress("fsck") as progress:
        progress.on_step(0.5, "youtube/abc")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")
