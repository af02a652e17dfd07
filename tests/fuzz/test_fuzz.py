"""The fuzz targets without atheris: seeds and former finds pass, and the oracle can fail."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fuzz_targets
import numpy as np
import pytest
import run_fuzz
from fuzz_guard import Forbidden, OverBar, guarded
from fuzz_targets import TARGETS, DisagreementError

from filmcan.contract.manifest import parse_manifest
from filmcan.testing.made_npz import make_npy, make_raw_npy

_HERE = Path(__file__).resolve().parent
_FINDS = sorted(_HERE.glob("finds/*/*"))


@pytest.fixture(autouse=True, scope="module")
def _referee() -> Iterator[None]:
    yield
    fuzz_targets.close_referee()


def test_every_target_is_known_to_the_script() -> None:
    assert tuple(TARGETS) == run_fuzz.FUZZ_TARGETS


@pytest.mark.parametrize("name", run_fuzz.FUZZ_TARGETS)
def test_t5_every_seed_is_read_as_numpy_reads_it_or_refused_typed(name: str) -> None:
    verdicts = [TARGETS[name].run(seed) for seed in TARGETS[name].seeds()]
    assert any(verdicts), "some seed is accepted"
    assert not all(verdicts), "some seed is refused"


@pytest.mark.parametrize("find", _FINDS, ids=[f"{find.parent.name}-{find.stem}" for find in _FINDS])
def test_t5_a_former_find_stays_mended(find: Path) -> None:
    TARGETS[find.parent.name].run(find.read_bytes())


def test_no_find_waits_for_a_name_and_an_answer() -> None:
    assert [
        find.name for find in _FINDS if find.name.startswith(("crash-", "timeout-", "oom-"))
    ] == []


@pytest.mark.parametrize("name", run_fuzz.FUZZ_TARGETS)
def test_a_reshaped_seed_passes_too(name: str) -> None:
    """Atheris' mutator is stood in for by one that changes a byte."""

    def mutate(data: bytes, size: int) -> bytes:
        at = len(data) // 2
        return (data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])[:size] if data else b"x"

    target = TARGETS[name]
    for number, seed in enumerate(target.seeds()):
        if number % 4 == 0 and len(seed) <= target.max_bytes:
            changed = target.reshape(seed, target.max_bytes, mutate, random.Random(number))  # noqa: S311
            assert len(changed) <= target.max_bytes
            target.run(changed)


# --- the oracle itself -----------------------------------------------------------------------


def test_the_guard_sees_an_import_also_where_it_is_swallowed() -> None:
    def swallow() -> None:
        with contextlib.suppress(BaseException):
            __import__("this_is_no_module")

    with pytest.raises(Forbidden, match="import"), guarded():
        swallow()


@pytest.mark.parametrize(
    "act",
    [
        lambda: Path(__file__).read_bytes(),
        lambda: eval("1 + 1"),  # noqa: S307
        lambda: subprocess.run([sys.executable, "-V"], check=False),
        lambda: os.system("true"),  # noqa: S605, S607
        lambda: os.remove("/nonexistent/file"),  # noqa: PTH107
    ],
    ids=["open", "evaluate", "start", "shell", "remove"],
)
def test_the_guard_stops_what_reading_never_does(act: object) -> None:
    assert callable(act)
    with pytest.raises(Forbidden), guarded():
        act()


def test_the_guard_measures_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz_guard.MAX_SEC", -1.0)
    with pytest.raises(OverBar), guarded():
        pass


def test_the_referee_finds_what_numpy_reads_otherwise() -> None:
    array = np.arange(3, dtype="<i4")
    fuzz_targets._hold_against_numpy(b"y", make_npy(array))
    with pytest.raises(DisagreementError, match="numpy refuses"):
        fuzz_targets._hold_against_numpy(b"y", make_raw_npy("no header", b""))


def test_a_manifest_that_loses_a_field_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """P7: with a reader that forgets unknown fields, the oracle must object."""
    data = json.dumps(fuzz_targets._MANIFEST).encode()
    assert TARGETS["manifest"].run(data)
    known = {**fuzz_targets._MANIFEST, "run": {**fuzz_targets._MANIFEST["run"]}}  # type: ignore[dict-item]
    del known["run"]["unknown"]  # type: ignore[attr-defined]
    forgetful = parse_manifest(json.dumps(known).encode())
    monkeypatch.setattr(fuzz_targets, "parse_manifest", lambda _data: forgetful)
    with pytest.raises(DisagreementError, match="lost on rewriting: /run/unknown"):
        TARGETS["manifest"].run(data)


# --- the script ------------------------------------------------------------------------------


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[str]]:
    """Stand in for the children: each run of the fuzzer leaves an input; a replay passes or not."""

    def script(*, stops: int, replay_code: int, leaves: bool = True) -> list[str]:
        said: list[str] = []

        def start(_name: str, *options: str) -> subprocess.CompletedProcess[str]:
            said.append(options[0])
            code = replay_code
            if options[0] == "--child":
                code = int(said.count("--child") <= stops)
                if code and leaves:
                    (tmp_path / "header" / f"crash-{len(said)}").write_bytes(b"\x93")
            return subprocess.CompletedProcess(options, code, "the fuzzer", f"Traceback {code}")

        monkeypatch.setattr(run_fuzz, "_start", start)
        return said

    monkeypatch.setattr(run_fuzz, "FINDS", tmp_path)
    return script


def _hold(tmp_path: Path) -> bool:
    return run_fuzz._hold("header", tmp_path / "corpus", 60.0)


def test_what_fails_again_is_a_find_with_its_traceback(
    scripted: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = scripted(stops=1, replay_code=70)
    assert not _hold(tmp_path)
    assert said == ["--child", "--replay"]
    printed = capsys.readouterr().out
    assert "FIND" in printed
    assert "base64: kw==" in printed
    assert "Traceback 70" in printed
    assert [path.name for path in (tmp_path / "header").iterdir()] == ["crash-1"]


def test_what_passes_in_a_fresh_process_is_no_find(
    scripted: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = scripted(stops=1, replay_code=0)
    assert _hold(tmp_path)
    assert said == ["--child", "--replay", "--child"]
    assert "not a find" in capsys.readouterr().out
    assert not list((tmp_path / "header").iterdir())


def test_a_target_that_is_stopped_again_and_again_fails(
    scripted: Callable[..., list[str]], tmp_path: Path
) -> None:
    """What many inputs do together, a leak above all, no single input shows."""
    scripted(stops=9, replay_code=0)
    assert not _hold(tmp_path)


def test_a_target_that_ends_outside_of_any_input_fails(
    scripted: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scripted(stops=1, replay_code=0, leaves=False)
    assert not _hold(tmp_path)
    assert "Traceback 1" in capsys.readouterr().out


def test_an_input_is_tried_in_a_process_of_its_own(tmp_path: Path) -> None:
    refused, accepted = tmp_path / "a", tmp_path / "b"
    refused.write_bytes(b"\x93NUMPY")
    accepted.write_bytes(make_npy(np.arange(3, dtype="<i4")))
    assert "refused" in run_fuzz._start("header", "--replay", str(refused)).stdout
    assert "accepted" in run_fuzz._start("header", "--replay", str(accepted)).stdout
    assert "FileNotFoundError" in run_fuzz._start("header", "--replay", str(tmp_path / "c")).stderr
