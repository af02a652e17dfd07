"""`filmcan fsck`, `gc` and `delete` keep what scripts rely on: exit codes and JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from filmcan.cli.main import invoke
from filmcan.store.local import LocalBackend
from filmcan.testing.made_stores import COMPONENTS, write_run
from filmcan.testing.read_only_index import refuse_index_writes
from filmcan.testing.store_suite import publish


@pytest.fixture
def store(tmp_path: Path) -> str:
    folder = tmp_path / "store"
    write_run(LocalBackend(folder))
    return str(folder)


def read_json(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_fsck_of_a_sound_store_exits_0(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["fsck", store, "--data"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"sound: 1 runs, {len(COMPONENTS)} artifacts, ")
    assert invoke(["fsck", store, "--json"]) == 0
    assert read_json(capsys) == {
        "sound": True,
        "runs": 1,
        "artifacts": len(COMPONENTS),
        "read_bytes": 0,
        "quarantined": 0,
        "issues": [],
        "repairs": [],
        "remaining": [],
    }


def test_fsck_exits_3_while_an_error_remains(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(LocalBackend(Path(store)), "debug.json", b"{}")
    assert invoke(["fsck", store]) == 3
    out = capsys.readouterr().out
    assert "forbidden_json" in out
    assert "DAMAGED" in out
    assert invoke(["fsck", store, "--repair"]) == 0
    out = capsys.readouterr().out
    assert "repaired: moved to _filmcan/quarantine/" in out
    publish(LocalBackend(Path(store)), "local/v1/r2/manifest.json", b"torn")
    assert invoke(["fsck", store, "--repair", "--json"]) == 3
    shown = read_json(capsys)
    assert shown["sound"] is False
    repairs = shown["repairs"]
    assert isinstance(repairs, list)
    assert [(item["where"], item["is_done"]) for item in repairs] == [
        ("local/v1/r2/manifest.json", False)
    ]


def test_gc_says_what_would_go_and_removes_it_only_without_dry_run(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stray = "local/v1/r1/core_optical_flow/_tmp_1_2_x"
    backend = LocalBackend(Path(store))
    publish(backend, stray, b"half")
    os.utime(Path(store) / stray, (1.0, 1.0))
    assert invoke(["gc", store, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert stray in out
    assert "would remove 1 files, 4 bytes; 1 runs kept" in out
    assert invoke(["gc", store, "--json", "--keep-last", "1", "--max-age", "30d"]) == 0
    shown = read_json(capsys)
    assert shown["removals"] == [
        {
            "kind": "temporary",
            "path": stray,
            "reason": "left by an interrupted write",
            "files": 1,
            "size_bytes": 4,
        }
    ]
    assert (shown["dry_run"], shown["files"], shown["kept_runs"]) == (False, 1, 1)
    assert invoke(["gc", store]) == 0
    assert "removed 0 files, 0 bytes" in capsys.readouterr().out


def test_p12_gc_stops_at_a_damaged_manifest_with_exit_code_3(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(LocalBackend(Path(store)), "local/v1/r2/manifest.json", b"torn")
    assert invoke(["gc", store, "--json"]) == 3
    error = read_json(capsys)["error"]
    assert isinstance(error, dict)
    assert error["code"] == "unreadable_manifest"
    assert error["where"] == "local/v1/r2/manifest.json"


@pytest.mark.parametrize("rule", [["--keep-last", "0"], ["--grace", "soon"]])
def test_gc_with_rules_that_make_no_sense_is_wrong_use(store: str, rule: list[str]) -> None:
    assert invoke(["gc", store, *rule]) == 2


@pytest.mark.parametrize(
    "arguments",
    [["gc", "{}", "--keep-last", "x"], ["gc", "{}", "--no-such"], ["delete", "{}"], ["index"]],
)
def test_wrong_use_is_one_json_object_when_json_is_asked_for(
    store: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [item.format(store) for item in arguments]
    assert invoke([*filled, "--json"]) == 2
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert sorted(error) == ["code", "hint", "message", "where"]
    assert (error["code"], error["hint"]) == ("usage", "See filmcan --help.")
    assert captured.err == ""
    assert invoke(filled) == 2
    assert "  do:    See filmcan --help.\n" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["fsck"], ["index", "rebuild"], ["index", "sync"]])
def test_a_number_of_workers_below_one_is_wrong_use(store: str, command: list[str]) -> None:
    assert invoke([*command, store, "--workers=-3"]) == 2
    assert invoke([*command, store, "--workers=0"]) == 2
    assert invoke([*command, store, "--workers=1"]) == 0


def test_an_index_that_cannot_be_written_is_not_advised_to_be_rebuilt(
    store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refuse_index_writes(monkeypatch)
    assert invoke(["index", "rebuild", store]) == 5
    told = capsys.readouterr().err
    assert "the index is unavailable" in told
    assert "--index or FILMCAN_INDEX_URL" in told
    assert "index rebuild" not in told


@pytest.mark.skipif(os.name == "nt", reason="no name there holds the end of a line")
def test_no_name_forges_a_line_of_fsck(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    forged = "sound: 9 runs, 9 artifacts, 0 errors, 0 warnings"
    (Path(store) / "local" / "v1" / f"x\n{forged}\n.json").write_text("{}")
    assert invoke(["fsck", store]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert forged not in lines
    assert f"  where: local/v1/x\\n{forged}\\n.json" in lines
    assert invoke(["fsck", store, "--repair"]) == 0
    assert forged not in capsys.readouterr().out.splitlines()


def test_delete_asks_unless_told_yes(
    store: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal:
        def __init__(self, answer: str) -> None:
            self.answer = answer

        def isatty(self) -> bool:
            return True

        def readline(self, size: int = -1) -> str:
            return self.answer

    assert invoke(["delete", store, "--video", "local/v1"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert invoke(["delete", store, "--video", "local/v1", "--json"]) == 2
    assert "--yes" in str(read_json(capsys)["error"])
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert invoke(["delete", store, "--video", "local/v1"]) == 1
    told = capsys.readouterr().err
    assert told.endswith("Nothing was removed.\n")
    assert "Interrupted" not in told
    assert (Path(store) / "local" / "v1").is_dir()
    monkeypatch.setattr(sys, "stdin", Terminal(""))  # the end of input: nobody answers
    assert invoke(["delete", store, "--video", "local/v1"]) == 130
    assert (Path(store) / "local" / "v1").is_dir()
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert invoke(["delete", store, "--video", "local/v1", "--run", "r1"]) == 0
    assert not (Path(store) / "local" / "v1").exists()


def test_delete_prints_a_receipt_and_again_that_there_was_nothing(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["delete", store, "--video", "local/v1", "--yes", "--json"]) == 0
    shown = read_json(capsys)
    files = shown["files"]
    assert isinstance(files, list)
    assert shown["target"] == "local/v1"
    assert shown["size_bytes"] == sum(file["size_bytes"] for file in files)
    assert len(files) == 1 + len(COMPONENTS)
    assert all(len(file["sha256"]) == 64 for file in files)
    assert invoke(["delete", store, "--video", "local/v1", "--yes"]) == 0
    assert capsys.readouterr().out == "there was nothing of local/v1\n"
    write_run(LocalBackend(Path(store)))
    assert invoke(["delete", store, "--video", "local/v1", "--yes"]) == 0
    assert f"deleted local/v1: {1 + len(COMPONENTS)} files" in capsys.readouterr().out


def test_delete_of_what_is_no_store_or_no_video(store: str, tmp_path: Path) -> None:
    assert invoke(["delete", store, "--video", "local", "--yes"]) == 2
    assert invoke(["delete", str(tmp_path / "none"), "--video", "local/v1", "--yes"]) == 5
    assert invoke(["delete", str(tmp_path), "--video", "local/v1", "--yes"]) == 5
