"""Every promise of docs/threats.md has a test that carries its name, and docs/proofs.md is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROMISES = [f"P{number}" for number in (*range(1, 13), 14, 16)]
_TEST = re.compile(r"^(?:    )?def (test_\w+)\(", re.MULTILINE)
_ROW = re.compile(r"^\| (P\d+) [^|]*\| (.*) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def tests(repository: Path) -> set[str]:
    """The names of all tests."""
    paths = [*(repository / "tests").rglob("test_*.py"), *_suites(repository)]
    return {name for path in paths for name in _TEST.findall(path.read_text(encoding="utf-8"))}


def _suites(repository: Path) -> list[Path]:
    return sorted((repository / "src" / "filmcan" / "testing").glob("*_suite.py"))


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_has_a_test_of_its_name(promise: str, tests: set[str]) -> None:
    assert [name for name in tests if f"_{promise.lower()}_" in name]


def test_the_page_of_proofs_names_tests_that_exist_for_every_promise(
    repository: Path, tests: set[str]
) -> None:
    page = (repository / "docs" / "proofs.md").read_text(encoding="utf-8")
    rows = dict(_ROW.findall(page))
    assert list(rows) == PROMISES
    for promise, cell in rows.items():
        named = re.findall(r"`(test_\w+)`", cell)
        assert named, promise
        assert [name for name in named if name not in tests] == []
        assert [name for name in named if f"_{promise.lower()}_" not in name] == []
