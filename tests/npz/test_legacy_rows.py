"""Every row that the index of a store written elsewhere expects of the validator.

A row is [level, clause, text]; `open` rows are left to the project: see `docs/import.md`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from filmcan.contract.issues import Issue, Report
from filmcan.contract.meta import SEED_META_KEYS
from filmcan.npz.validate import validate_npz

_QUOTED = re.compile(r"'(\w+)'")

EXPECTED = {
    ("error", "C8.4"): {"schema_unknown"},
    ("error", "C9.1"): {"key_missing"},
    ("error", "C6.5"): {"stored_none"},
    ("error", "C6.2"): {"value_under_false_mask"},
    ("error", "C6.4"): {"error_with_artifact"},
    ("warning", "C4.1"): {"version_unknown"},
    ("warning", "C6.3"): {"reason_not_declared"},
}
"""Level and clause of a row -> the codes that say it."""


def _read_index(folder: Path) -> list[dict[str, Any]]:
    files = json.loads((folder / "index.json").read_bytes())["files"]
    return [item for item in files if item["kind"] == "npz"]


def _find_keys(clause: str, text: str) -> set[str]:
    """Return the keys that a row says something about."""
    if clause == "C9.1":
        return {"feature_names", "feature_values"}
    if clause == "C6.5":
        return set(_QUOTED.findall(text))
    if clause == "C6.2":
        return {re.split(r"\W", text)[0]}
    return set()


def _find_said(report: Report, row: list[str]) -> list[Issue]:
    level, clause, _ = row
    codes = EXPECTED[level, clause]
    return [issue for issue in report if issue.level == level and issue.code in codes]


def test_every_row_that_is_not_open_is_met(legacy_store: Path) -> None:
    checked = 0
    for item in _read_index(legacy_store):
        report = validate_npz(legacy_store / item["file"])
        for row in item["expect"]["validator"]:
            level, clause, text = row
            if level == "open":
                continue
            checked += 1
            where = f"{item['file']}: {row}"
            if level == "ok":
                assert clause == "C4.4", where
                assert not {"meta_disagrees", "meta_missing"} & {i.code for i in report}, where
                continue
            said = _find_said(report, row)
            assert said, where
            assert _find_keys(clause, text) <= {issue.key for issue in said}, where
            for count in re.findall(r"^\w+: (\d+) cells", text):
                key = re.split(r"\W", text)[0]
                (one,) = [issue for issue in said if issue.key == key]
                assert f": {count}," in one.message, where
    assert checked > 40


def test_c8_an_unknown_schema_only_warns_when_allowed(legacy_store: Path) -> None:
    checked = 0
    for item in _read_index(legacy_store):
        if any(row[1] == "C8.4" for row in item["expect"]["validator"]):
            report = validate_npz(legacy_store / item["file"], allow_unknown_schema=True)
            levels = [issue.level for issue in report if issue.code == "schema_unknown"]
            assert levels == ["warning"], item["file"]
            checked += 1
    assert checked == 13


@pytest.mark.parametrize("required", [[], ["producer"], list(SEED_META_KEYS)], ids=len)
def test_c8_the_meta_of_every_artifact_passes_with_a_given_list(
    legacy_store: Path, required: list[str]
) -> None:
    for item in _read_index(legacy_store):
        assert "meta passes" in item["expect"]["validator_relaxed"]
        report = validate_npz(
            legacy_store / item["file"], required_meta_keys=required, allow_unknown_schema=True
        )
        wrong = [i for i in report.errors if i.key.startswith("meta")]
        # That an error wrote an artifact at all is no matter of its meta (C6.4).
        assert [i.code for i in wrong] in ([], ["error_with_artifact"]), item["file"]
        assert bool(wrong) == (item["status"] == "error"), item["file"]
