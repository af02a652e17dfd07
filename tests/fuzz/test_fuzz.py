"""The fuzz targets without atheris: seeds and former finds pass, and the oracle can fail."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fuzz_targets
import numpy as np
import pytest
from fuzz_guard import Forbidden, OverBar, guarded
from fuzz_targets import TARGETS, DisagreementError

from filmcan.contract.manifest import parse_manifest
from filmcan.testing.made_npz import make_npy, make_raw_npy

_HERE = Path(__file__).resolve().parent
_FINDS = sorted(_HERE.glob("finds/*/*"))
_NAMES = ("pickle", "header", "npz", "manifest")


@pytest.fixture(autouse=True, scope="module")
def _referee() -> Iterator[None]:
    yield
    fuzz_targets.close_referee()


def test_every_target_is_known_to_the_script() -> None:
    assert tuple(TARGETS) == _NAMES


@pytest.mark.parametrize("name", _NAMES)
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


@pytest.mark.parametrize("name", _NAMES)
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
