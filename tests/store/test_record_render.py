"""C10.1: the manifest carries metadata of a presentation, and noting it loses nothing."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from filmcan.errors import ConflictError, NotFoundError
from filmcan.store.memory import MemoryBackend
from filmcan.store.store import Store
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import build_run_record
from filmcan.testing.made_stores import begin_run, clock, commit, write_run


def note(transaction: RunTransaction, **values: object) -> None:
    def change(found: Mapping[str, object] | None) -> Mapping[str, object]:
        return {**(found or {}), **values}

    transaction.record_render(change)


def test_c10_what_is_noted_joins_what_was_and_changes_nothing_else() -> None:
    backend = MemoryBackend()
    write_run(backend)
    before = Store(backend).run("local", "v1", "r1").manifest
    transaction = RunTransaction.reopen(backend, before.run, clock)
    note(transaction, locale="en")
    note(transaction, text="said")
    after = Store(backend).run("local", "v1", "r1").manifest
    assert after.render == {"locale": "en", "text": "said"}
    assert after.components == before.components
    assert (after.run.status, after.run.finished_at) == (before.run.status, before.run.finished_at)
    assert after.run.revision == before.run.revision + 2


def test_c10_a_stage_that_works_meanwhile_loses_nothing() -> None:
    backend = MemoryBackend()
    stage = begin_run(backend)
    note(RunTransaction.reopen(backend, build_run_record(), clock), locale="ru")
    commit(stage)
    manifest = Store(backend).run("local", "v1", "r1").manifest
    assert manifest.render == {"locale": "ru"}
    assert len(manifest.components) == 1


def test_a_run_that_is_gone_is_not_brought_back() -> None:
    backend = MemoryBackend()
    write_run(backend)
    transaction = RunTransaction.reopen(backend, build_run_record(), clock)
    backend.remove("local/v1/r1/manifest.json")
    with pytest.raises((NotFoundError, ConflictError)):
        note(transaction, locale="en")
    assert not Store(backend).runs()
