"""Errors say what is wrong, where, and what to do, and survive a trip between processes."""

from __future__ import annotations

import pickle

import pytest

from filmcan import errors
from filmcan.errors import ConflictError, FilmcanError, NotFoundError


def test_an_error_says_its_three_parts_in_one_line() -> None:
    error = ConflictError("it exists already.", where="run r1", hint="Choose another.")
    assert str(error) == "it exists already. (run r1). Choose another."
    assert str(ConflictError("short")) == "short"
    assert (error.code, error.where, error.hint) == ("conflict", "run r1", "Choose another.")


def test_not_found_is_a_lookup_error_that_prints_without_quotes() -> None:
    assert isinstance(NotFoundError("no such run"), LookupError)
    assert str(NotFoundError("no such run")) == "no such run"


@pytest.mark.parametrize(
    "kind",
    [
        item
        for item in vars(errors).values()
        if isinstance(item, type) and issubclass(item, FilmcanError)
    ],
)
def test_every_error_has_a_code_a_place_in_the_tree_and_survives_pickling(
    kind: type[FilmcanError],
) -> None:
    assert kind.__name__.endswith("Error")
    assert kind.__name__ in str(errors.__doc__)
    error = pickle.loads(pickle.dumps(kind("x", where="y", hint="z")))  # noqa: S301 - ours
    assert type(error) is kind
    assert (error.message, error.code, error.where, error.hint) == (
        "x",
        kind.default_code,
        "y",
        "z",
    )
