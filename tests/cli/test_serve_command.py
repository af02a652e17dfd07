"""`filmcan serve`: what it starts, and when it does not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from filmcan.cli.main import invoke


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    import filmcan.server.run

    calls: list[dict[str, Any]] = []

    def serve(settings: object, **where: object) -> None:
        calls.append({"settings": settings, **where})

    monkeypatch.setattr(filmcan.server.run, "serve", serve)
    return calls


def test_it_listens_on_this_machine_only_and_says_where(
    started: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["serve", str(tmp_path), "--port", "1234"]) == 0
    assert capsys.readouterr().out == "http://127.0.0.1:1234/\n"
    (call,) = started
    assert (call["host"], call["port"]) == ("127.0.0.1", 1234)
    settings = call["settings"]
    assert (settings.store, settings.token, settings.cors_origins) == (str(tmp_path), None, ())
    assert set(settings.hosts) == {"127.0.0.1", "localhost", "[::1]"}


def test_beyond_this_machine_it_asks_for_a_token(
    started: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["serve", str(tmp_path), "--host", "0.0.0.0"]) == 2  # noqa: S104 - refused
    assert started == []
    assert "--token random" in capsys.readouterr().err
    asked = ["serve", str(tmp_path), "--host", "::", "--token", "random", "--allow-host", "Films.X"]
    assert invoke(asked) == 0
    settings = started[0]["settings"]
    assert len(settings.token) >= 32
    assert capsys.readouterr().out == f"http://[::]:8765/?token={settings.token}\n"
    assert "films.x" in settings.hosts
    assert settings.token not in repr(settings)


def test_without_its_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "filmcan.server.run", None)
    assert invoke(["serve", str(tmp_path)]) == 2
    assert "pip install 'filmcan[serve]'" in capsys.readouterr().err


def test_a_store_that_is_not_there_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["serve", str(tmp_path / "nowhere")]) == 5
    assert "there is no such store" in capsys.readouterr().err
