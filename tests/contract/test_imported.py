"""The mark of what came from another system's store."""

from __future__ import annotations

import numpy as np

from filmcan.contract.imported import find_form, find_imported_kind, find_mark


def test_the_form_and_kind_are_read_from_the_mark() -> None:
    fields = {"imported": {"form": "carried", "kind": "audio"}}
    assert find_form(fields) == "carried"
    assert find_imported_kind(fields) == "audio"
    assert find_mark(fields) == {"form": "carried", "kind": "audio"}


def test_a_mark_that_says_something_else_is_none() -> None:
    for fields in ({}, {"imported": "carried"}, {"imported": {"form": "valid", "kind": 1}}):
        assert find_form(fields) is None
        assert find_imported_kind(fields) is None


def test_c8_a_mark_that_holds_arrays_is_none() -> None:
    both = np.array(["carried", "core"])
    fields = {"imported": {"form": both, "kind": both}}
    assert find_form(fields) is None
    assert find_imported_kind(fields) is None
