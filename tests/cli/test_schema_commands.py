"""`filmcan schema`: the registry, compared with what was released."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from filmcan.cli.main import invoke
from filmcan.contract.registry import get_schema_document, list_schema_versions
from filmcan.operations import schemas as operations
from filmcan.testing.made_schema import build_schema_document, find_part


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = invoke([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """Return a folder with a copy of every schema of the registry, as a release would ship it."""
    for version in list_schema_versions():
        write(tmp_path / f"{version}.json", get_schema_document(version))
    return tmp_path


def write(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def edit(path: Path, component: str, key: str, **fields: object) -> None:
    document: dict[str, Any] = json.loads(path.read_text())
    find_part(document, component)["keys"][key].update(fields)
    write(path, document)


def test_c7_the_registry_holds_to_the_packaged_copies(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "schema", "check")
    assert (code, err) == (0, "")
    assert out.startswith("valid: ")
    released = list_schema_versions("released")
    assert ("nothing is released yet" in out) is (not released)


def test_c7_an_unchanged_release_passes(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "schema", "check", "--released", released, "--json")
    document = json.loads(out)
    assert code == 0
    assert list(document) == ["valid", "comparisons", "issues"]
    assert document["valid"] is True
    assert [item["verdict"] for item in document["comparisons"]] == ["compatible"] * len(
        list_schema_versions()
    )


def test_c7_a_silent_change_exits_with_3(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(released / "core_clip_npz_v1.json", "core_clip", "prompt_scores", range=[0, 0.5])
    code, out, _ = call(capsys, "schema", "check", "--released", released)
    assert code == 3
    assert "schema_changed: core_clip: keys.prompt_scores.range" in out
    assert "INVALID" in out
    code, out, _ = call(capsys, "schema", "check", "--released", released, "--json")
    assert code == 3
    (issue,) = json.loads(out)["issues"]
    assert (issue["level"], issue["code"], issue["where"]) == (
        "error",
        "schema_changed",
        "core_clip_npz_v1",
    )


def test_c7_one_part_of_a_shared_version_fails_without_a_case_of_its_own(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(released / "audio_npz_v1.json", "clap_extractor", "segment_start_sec", unit="ms")
    code, out, _ = call(capsys, "schema", "check", "--released", released)
    assert code == 3
    assert "clap_extractor: keys.segment_start_sec.unit: ms -> s" in out
    assert out.count("error:") == 1


def test_c7_a_withdrawn_version_exits_with_3(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(released / "probe_npz_v1.json", build_schema_document())
    code, out, _ = call(capsys, "schema", "check", "--released", released)
    assert code == 3
    assert "schema_withdrawn" in out


def test_a_released_folder_that_is_not_there_is_not_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = call(capsys, "schema", "check", "--released", tmp_path / "none")
    assert code != 0
    assert "no such folder" in err


def test_c7_two_documents_are_compared_with_verdict_and_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = write(tmp_path / "probe_npz_v1.json", build_schema_document())
    (tmp_path / "new").mkdir()
    new = write(tmp_path / "new" / "probe_npz_v1.json", build_schema_document())
    edit(new, "probe_component", "plain", view="line", required=False)
    code, out, _ = call(capsys, "schema", "diff", old, new, "--json")
    document = json.loads(out)
    assert code == 0
    assert list(document) == ["old", "new", "verdict", "changes"]
    assert document["verdict"] == "needs_new_version"
    assert [(item["place"], item["verdict"]) for item in document["changes"]] == [
        ("keys.plain.required", "needs_new_version"),
        ("keys.plain.view", "compatible"),
    ]
    assert all(item["reason"] for item in document["changes"])
    code, out, _ = call(capsys, "schema", "diff", old, new)
    assert code == 0
    assert "probe_npz_v1 -> probe_npz_v1: needs_new_version, 2 changes" in out


def test_c7_two_versions_of_the_registry_are_compared_by_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = call(capsys, "schema", "diff", "core_clip_npz_v1", "core_clip_npz_v1")
    assert (code, out) == (0, "core_clip_npz_v1 -> core_clip_npz_v1: compatible, 0 changes\n")


def test_c7_one_version_is_compared_with_its_released_copy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    released = build_schema_document("probe_npz_v1")
    in_force = build_schema_document("probe_npz_v1")
    find_part(in_force)["keys"]["plain"]["unit"] = "s"
    shelves = {"released": released, "in_force": in_force}
    monkeypatch.setattr(
        operations, "get_schema_document", lambda version, shelf="in_force": shelves[shelf]
    )
    code, out, _ = call(capsys, "schema", "diff", "probe_npz_v1", "--json")
    assert code == 0
    assert [item["place"] for item in json.loads(out)["changes"]] == ["keys.plain.unit"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("nowhere_npz_v1",),
        ("nowhere_npz_v1", "core_clip_npz_v1"),
        ("core_clip_npz_v1", "nowhere.json"),
    ],
)
def test_what_is_not_there_is_not_compared(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = call(capsys, "schema", "diff", *arguments)
    assert code != 0
    assert out == ""
    assert "do:" in err or "no such" in err


def test_a_malformed_document_exits_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "probe_npz_v1.json"
    path.write_text("{")
    assert call(capsys, "schema", "diff", path, "core_clip_npz_v1")[0] == 3
