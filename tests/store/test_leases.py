"""Leases: of two who want a video one gets it, and nobody holds it longer than he lives."""

from __future__ import annotations

from pathlib import Path

import pytest

from filmcan.errors import ConflictError
from filmcan.store.base import Backend
from filmcan.store.leases import LEASES, Leases
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend

VIDEO = "local/v1"


@pytest.fixture(params=["local", "memory"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    return LocalBackend(tmp_path / "store") if request.param == "local" else MemoryBackend()


def hold(backend: Backend, name: str, *gone: str, term_sec: float = 3600.0) -> Leases:
    return Leases(backend, name, lambda holder: holder in gone, term_sec)


def test_one_of_two_gets_it_and_the_other_once_it_is_released(backend: Backend) -> None:
    first, second = hold(backend, "a"), hold(backend, "b")
    assert first.take(VIDEO)
    assert not second.take(VIDEO)
    assert second.take("local/v2")
    first.release(VIDEO)
    assert second.take(VIDEO)
    second.release(VIDEO)
    second.release("local/v2")
    assert not backend.list_folder(LEASES).files


def test_the_lease_of_a_process_that_is_gone_is_taken_over_at_once(backend: Backend) -> None:
    assert hold(backend, "a").take(VIDEO)
    assert hold(backend, "b", "a").take(VIDEO)


def test_a_lease_that_was_not_renewed_in_time_is_taken_over(backend: Backend) -> None:
    first = hold(backend, "a")
    assert first.take(VIDEO)
    second = hold(backend, "b", term_sec=-1.0)
    assert second.take(VIDEO)
    first.renew()
    first.release(VIDEO)
    assert backend.list_folder(LEASES).files, "what was lost belongs to whoever took it"
    second.renew()
    second.release(VIDEO)
    assert not backend.list_folder(LEASES).files


def test_releasing_what_is_gone_is_no_error(backend: Backend) -> None:
    first = hold(backend, "a")
    assert first.take(VIDEO)
    (name,) = backend.list_folder(LEASES).files
    backend.remove(f"{LEASES}/{name}")
    first.release(VIDEO)


def test_who_comes_second_in_a_race_does_not_get_it(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(path: str, data: bytes, *, expected: str | None) -> str:
        raise ConflictError("somebody was faster")

    monkeypatch.setattr(backend, "swap", lose)
    assert not hold(backend, "a").take(VIDEO)


def test_a_damaged_lease_lasts_its_term_and_no_longer(backend: Backend) -> None:
    first = hold(backend, "a")
    assert first.take(VIDEO)
    (name,) = backend.list_folder(LEASES).files
    found = backend.find_versioned(f"{LEASES}/{name}", limit=4096)
    assert found is not None
    backend.swap(f"{LEASES}/{name}", b"\xff", expected=found.version)
    assert not hold(backend, "b", "a").take(VIDEO)
    assert hold(backend, "b", term_sec=-1.0).take(VIDEO)


def test_a_lease_that_ends_while_it_is_looked_at_counts_as_held(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hold(backend, "a").take(VIDEO)
    original = backend.list_folder

    def empty(folder: str) -> object:
        return original("local/nothing")

    monkeypatch.setattr(backend, "list_folder", empty)
    assert not hold(backend, "b", term_sec=-1.0).take(VIDEO)
