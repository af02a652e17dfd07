from __future__ import annotations

import inspect

import pytest

import filmcan

EXPECTED = {"FilmcanError", "open_artifact", "open_store", "read_meta", "run", "validate_npz"}


def test_the_public_names_are_sorted_and_hold_what_the_design_promises() -> None:
    assert list(filmcan.__all__) == sorted(filmcan.__all__)
    assert set(filmcan.__all__) >= EXPECTED
    assert dir(filmcan) == filmcan.__all__


@pytest.mark.parametrize("name", filmcan.__all__)
def test_a_public_name_exists_and_is_documented(name: str) -> None:
    found = getattr(filmcan, name)
    first = (inspect.getdoc(found) or "").split("\n")[0]
    assert first.endswith("."), f"{name} needs a first line that is one sentence, got {first!r}"
    if inspect.isclass(found):
        methods = [value for key, value in vars(found).items() if not key.startswith("_")]
        assert all(inspect.getdoc(method) for method in methods if callable(method)), (
            f"a method of {name} has no docstring"
        )


@pytest.mark.parametrize("name", filmcan.__all__)
def test_every_public_name_is_annotated(name: str) -> None:
    found = getattr(filmcan, name)
    if inspect.isfunction(found):
        signature = inspect.signature(found)
        assert signature.return_annotation is not inspect.Signature.empty
        assert all(
            parameter.annotation is not inspect.Parameter.empty
            for parameter in signature.parameters.values()
        )


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        filmcan.nonsense  # noqa: B018 - the access is the test
