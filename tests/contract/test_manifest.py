"""C3: the manifest is parsed strictly, written in one order, and keeps what it does not know."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from filmcan.contract.issues import Issue
from filmcan.contract.manifest import (
    MAX_MANIFEST_BYTES,
    ArtifactRecord,
    ComponentRecord,
    Manifest,
    RunRecord,
    parse_manifest,
)
from filmcan.contract.reading import MAX_PROBLEMS, ObjectReader
from filmcan.contract.records import find_artifact_path_fault
from filmcan.errors import InvalidManifestError

NOW = "2026-01-31T12:00:00.000Z"
DIGEST = "0" * 64


def build_run(**changes: object) -> RunRecord:
    record = RunRecord(
        platform_id="local",
        video_id="v1",
        run_id="r1",
        config_hash=DIGEST,
        sampling_policy_version="uniform_v1",
        dataprocessor_version="0.1.0",
        created_at=NOW,
        updated_at=NOW,
        planned_components=("loudness_extractor", "core_optical_flow"),
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def build_component(name: str = "loudness_extractor", **changes: object) -> ComponentRecord:
    artifact = ArtifactRecord(f"{name}/{name}.{DIGEST[:12]}.npz", 10, DIGEST, "npz")
    record = ComponentRecord(name, "audio", "ok", (artifact,), started_at=NOW, finished_at=NOW)
    return replace(record, **changes)  # type: ignore[arg-type]


def build_document() -> dict[str, object]:
    manifest = Manifest(build_run(), (build_component(),))
    document: dict[str, object] = json.loads(manifest.to_bytes())
    return document


def test_c3_a_manifest_survives_the_round_trip() -> None:
    manifest = Manifest(build_run(revision=3, write_id="ab"), (build_component(),), {"llm": "x"})
    assert parse_manifest(manifest.to_bytes()) == manifest


def test_c3_keys_stand_in_a_fixed_order_and_the_named_ones_always() -> None:
    document = build_document()
    run, component = document["run"], document["components"][0]  # type: ignore[index]
    assert list(run)[:8] == [
        "platform_id",
        "video_id",
        "run_id",
        "config_hash",
        "sampling_policy_version",
        "dataprocessor_version",
        "created_at",
        "updated_at",
    ]
    for key in (
        "status",
        "started_at",
        "finished_at",
        "duration_ms",
        "device_used",
        "error",
        "notes",
        "schema_version",
        "producer_version",
    ):
        assert key in component
    assert component["error"] is None


def test_c3_unknown_keys_survive_a_rewrite_at_every_level() -> None:
    document = build_document()
    document["novelty"] = {"deep": [1]}
    document["run"]["colour"] = "red"  # type: ignore[index]
    document["components"][0]["mood"] = 7  # type: ignore[index]
    document["components"][0]["artifacts"][0]["tape"] = None  # type: ignore[index]
    manifest = parse_manifest(json.dumps(document).encode())
    updated = manifest.with_component(build_component("core_optical_flow", kind="core"))
    updated = updated.with_component(replace(build_component(), notes="again"))
    rewritten = json.loads(updated.to_bytes())
    assert rewritten["novelty"] == {"deep": [1]}
    assert rewritten["run"]["colour"] == "red"
    assert rewritten["components"][0]["mood"] == 7


def test_c3_components_stand_in_planned_order() -> None:
    manifest = Manifest(build_run())
    manifest = manifest.with_component(build_component("core_optical_flow", kind="core"))
    manifest = manifest.with_component(build_component())
    assert [item.name for item in manifest.components] == [
        "loudness_extractor",
        "core_optical_flow",
    ]
    assert manifest.pending_components == ()


def test_a_component_is_replaced_not_repeated() -> None:
    manifest = Manifest(build_run()).with_component(build_component())
    manifest = manifest.with_component(build_component(notes="second"))
    assert [item.notes for item in manifest.components] == ["second"]
    assert manifest.pending_components == ("core_optical_flow",)


def _damage(**changes: object) -> bytes:
    document = build_document()
    for path, value in changes.items():
        target: dict[str, object] = document
        *steps, last = path.split("__")
        for step in steps:
            target = target[int(step) if step.isdigit() else step]  # type: ignore[assignment, index]
        target[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "not strict JSON"),
        (b"\0" * 100, "not strict JSON"),
        (Manifest(build_run()).to_bytes()[:-40], "not strict JSON"),
        (Manifest(build_run()).to_bytes() + b"{}", "not strict JSON"),
        (b'{"run":{},"run":{}}', "duplicate"),
        (b"[]", "expected an object"),
        (b"{}", "run"),
        (_damage(run__video_id="../x"), "video_id"),
        (_damage(run__run_id=7), "run_id: expected a string"),
        (_damage(run__created_at="yesterday"), "created_at"),
        (_damage(run__status="great"), "expected one of ok, error"),
        (_damage(run__revision=-1), "revision"),
        (_damage(run__revision=True), "revision"),
        (_damage(components__0__status="fine"), "expected one of"),
        (_damage(components__0__status="empty"), "empty_reason"),
        (_damage(components__0__status="error"), "error"),
        (_damage(components__0__error="x"), "with error"),
        (_damage(components__0__artifacts=[]), "expected one"),
        (_damage(components__0__artifacts__0__sha256="AB" * 32), "lower-case hex"),
        (_damage(components__0__artifacts__0__path="/etc/passwd"), "path"),
        (_damage(components__0__artifacts__0__path="../x.npz"), "path"),
        (_damage(components__0__artifacts__0__path="core_clip/x.npz"), "must start with"),
        (_damage(components__0__artifacts__0__size_bytes=1.5), "size_bytes"),
        (_damage(components=[build_document()["components"][0]] * 2), "twice"),  # type: ignore[index]
        (_damage(components={}), "expected a list"),
    ],
)
def test_c3_a_damaged_manifest_is_refused_and_says_where(data: bytes, told: str) -> None:
    with pytest.raises(InvalidManifestError, match=told):
        parse_manifest(data)


def test_all_problems_come_at_once() -> None:
    data = _damage(run__run_id=7, run__created_at="x", components__0__status="fine")
    with pytest.raises(InvalidManifestError) as refusal:
        parse_manifest(data)
    for place in ("run.run_id", "run.created_at", "components[0].status"):
        assert place in str(refusal.value)


@pytest.mark.parametrize("field", ["components", "artifacts"])
def test_b4_a_manifest_of_nothing_but_faults_is_refused_in_few_words(field: str) -> None:
    """Not one message for each of a quarter of a million components."""
    item = "{}," * 100_000 + "{}"
    listed = f'[{{"{field}":[{item}]}}]' if field != "components" else f"[{item}]"
    with pytest.raises(InvalidManifestError) as refusal:
        parse_manifest(f'{{"run":{{}},"components":{listed}}}'.encode())
    assert str(refusal.value).count("expected") == MAX_PROBLEMS
    assert "; and more" in str(refusal.value)


def test_b4_no_more_items_are_looked_at_once_there_are_enough_problems() -> None:
    problems: list[Issue] = []
    for item in ObjectReader({"a": [{}] * 1_000}, "", problems).items("a"):
        item.report("wrong")
    assert len(problems) == MAX_PROBLEMS


def test_b4_many_components_are_compared_in_one_pass() -> None:
    components = tuple(
        build_component(f"c{number}", artifacts=(), status="error", error="x")
        for number in range(5_000)
    )
    data = Manifest(build_run(), components).to_bytes()
    assert len(parse_manifest(data).components) == 5_000
    with pytest.raises(InvalidManifestError, match="c7 stands there twice"):
        parse_manifest(Manifest(build_run(), (*components, components[7])).to_bytes())


def test_a_manifest_over_the_limit_is_neither_read_nor_written() -> None:
    with pytest.raises(InvalidManifestError) as refusal:
        parse_manifest(b" " * (MAX_MANIFEST_BYTES + 1))
    assert refusal.value.code == "too_large"
    with pytest.raises(InvalidManifestError, match="more than"):
        Manifest(build_run(profile={"x": "y" * MAX_MANIFEST_BYTES})).to_bytes()


def test_what_json_cannot_say_is_never_written() -> None:
    with pytest.raises(InvalidManifestError):
        Manifest(build_run(profile={"x": float("nan")})).to_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "c",
        "c/",
        "/c/x.npz",
        "c//x.npz",
        "c/../x.npz",
        "c/./x.npz",
        "c/_tmp_x.npz",
        "c/x.json",
        "c/a/b/x.npz",
        "d/x.npz",
        "c/x\0.npz",
        "c\\x.npz",
        "c/.x.npz",
    ],
)
def test_b4_only_plain_paths_inside_the_component_are_listed(path: str) -> None:
    assert find_artifact_path_fault(path, "c") is not None


@pytest.mark.parametrize("path", ["c/c.012345678901.npz", "c/_artifacts/title.npy"])
def test_b4_an_artifact_and_a_sub_artifact_may_be_listed(path: str) -> None:
    assert find_artifact_path_fault(path, "c") is None
