"""C7.3: nothing that was released changes silently; shown on schemas made for the test."""

from __future__ import annotations

from typing import Any

import pytest

from filmcan.contract.registry import get_schema_document, list_schema_versions
from filmcan.contract.release import check_schemas
from filmcan.testing.made_schema import build_schema_document, find_part


def build(version: str, **changes: object) -> dict[str, Any]:
    """Return a test schema whose key `plain` has some fields changed."""
    document = build_schema_document(version)
    find_part(document)["keys"]["plain"].update(changes)
    return document


def codes(in_force: list[dict[str, Any]], released: list[dict[str, Any]]) -> list[str]:
    check = check_schemas(
        {document["schema_version"]: document for document in in_force},
        {document["schema_version"]: document for document in released},
    )
    assert check.report.ok == (not check.report.issues)
    return [issue.code for issue in check.report]


def test_c7_what_did_not_change_passes() -> None:
    assert codes([build("probe_npz_v1")], [build("probe_npz_v1")]) == []
    assert codes([build("probe_npz_v1")], []) == []


def test_c7_other_words_pass() -> None:
    assert codes([build("probe_npz_v1", description="better")], [build("probe_npz_v1")]) == []


@pytest.mark.parametrize("changes", [{"range": [0, 1]}, {"unit": "s"}, {"dtype": "float64"}])
def test_c7_a_silent_change_of_a_released_schema_fails(changes: dict[str, object]) -> None:
    check = check_schemas(
        {"probe_npz_v1": build("probe_npz_v1", **changes)}, {"probe_npz_v1": build("probe_npz_v1")}
    )
    (issue,) = check.report
    assert (issue.level, issue.code, issue.where) == ("error", "schema_changed", "probe_npz_v1")
    assert issue.key == f"probe_component: keys.plain.{next(iter(changes))}"
    assert "new schema_version" in issue.message


def test_c7_the_same_change_under_a_new_version_passes_when_the_old_one_stays() -> None:
    changed = build("probe_npz_v2", range=[0, 1])
    assert codes([build("probe_npz_v1"), changed], [build("probe_npz_v1")]) == []


def test_c7_a_released_version_never_goes() -> None:
    assert codes([build("probe_npz_v2")], [build("probe_npz_v1")]) == ["schema_withdrawn"]


def test_c7_a_new_version_is_held_to_the_newest_released_one_before_it() -> None:
    drifted = build("probe_npz_v10")
    drifted["kind"] = "module"
    released = [build("probe_npz_v1"), build("probe_npz_v9"), build("other_npz_v11")]
    check = check_schemas(
        {document["schema_version"]: document for document in [*released, drifted]},
        {document["schema_version"]: document for document in released},
    )
    assert [issue.code for issue in check.report] == ["schema_forbidden_change"]
    pairs = [(item.old_version, item.new_version) for item in check.comparisons]
    assert ("probe_npz_v9", "probe_npz_v10") in pairs
    assert len(pairs) == 4


def test_c7_a_new_family_has_nothing_to_be_held_to() -> None:
    assert codes([build("fresh_npz_v1")], []) == []


@pytest.mark.parametrize(
    ("version", "document"),
    [
        ("probe_npz_v1", None),
        ("probe_npz_v1", {"components": {}}),
        ("probe_npz_v1", build("probe_npz_v1", dtype="float8")),
        ("no version", build("probe_npz_v1")),
    ],
)
@pytest.mark.parametrize("side", ["in_force", "released"])
def test_c8_a_malformed_document_is_a_finding_on_either_side(
    version: str, document: object, side: str
) -> None:
    shelves: dict[str, dict[str, object]] = {"in_force": {}, "released": {}}
    shelves[side][version] = document
    check = check_schemas(**shelves)
    assert [issue.code for issue in check.report] == ["invalid_schema"]
    assert check.comparisons == ()


def test_c8_the_registry_holds_to_what_was_released() -> None:
    in_force = {name: get_schema_document(name) for name in list_schema_versions()}
    released = {
        name: get_schema_document(name, "released") for name in list_schema_versions("released")
    }
    check = check_schemas(in_force, released)
    assert list(check.report) == []
    assert len(check.comparisons) >= len(released)
