"""C3, C4, C6, C8, C11: what a manifest says of its run is held against itself and the artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from filmcan.contract.manifest import ArtifactRecord, ComponentRecord, Manifest, RunRecord
from filmcan.contract.run_rules import (
    ALWAYS_WRITTEN,
    find_absent_fields,
    find_name_issue,
    has_failed,
    validate_agreement,
    validate_manifest,
)
from filmcan.contract.signature import hash_canonical, hash_config, sign_models

EARLY, NOW, LATE = (f"2026-01-31T12:00:0{second}.000Z" for second in range(3))
DIGEST = "0123456789ab" + "0" * 52
PROFILE = {"seed": 0, "execution": {"threads": 2}}
MODEL = {
    "model_name": "m",
    "model_version": "1",
    "weights_digest": "sha256:0",
    "runtime": "onnxruntime 1",
    "engine": "cpu",
    "precision": "float32",
    "device": "cpu",
}


def build_run(**changes: object) -> RunRecord:
    record = RunRecord(
        platform_id="local",
        video_id="v1",
        run_id="r1",
        config_hash=hash_config(PROFILE),
        sampling_policy_version="uniform_v1",
        dataprocessor_version="0.1.0",
        created_at=NOW,
        updated_at=NOW,
        finished_at=NOW,
        status="ok",
        planned_components=("loudness_extractor", "core_clip"),
        profile=PROFILE,
        source={"name": "clip.mp4", "size_bytes": 9, "duration_sec": None, "decoded_frames": 3},
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def build_component(name: str = "loudness_extractor", **changes: object) -> ComponentRecord:
    is_core = name.startswith("core_")
    artifact = ArtifactRecord(f"{name}/{name}.{DIGEST[:12]}.npz", 10, DIGEST, "npz")
    record = ComponentRecord(
        name,
        "core" if is_core else "audio",
        "ok",
        (artifact,),
        producer_version="1.0.0",
        schema_version="core_clip_npz_v1" if is_core else "audio_npz_v1",
        started_at=NOW,
        finished_at=NOW,
        model_signature=sign_models([]),
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def found(
    run: Mapping[str, object] | None = None, **component: object
) -> list[tuple[str, str, str]]:
    first = build_component(**component)  # type: ignore[arg-type]
    manifest = Manifest(build_run(**(run or {})), (first, build_component("core_clip")))
    return [(issue.level, issue.code, issue.key) for issue in validate_manifest(manifest)]


def test_c3_a_sound_manifest_has_no_issue() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"config_hash": DIGEST}, ("error", "config_hash", "run.config_hash")),
        ({"updated_at": EARLY}, ("warning", "time_order", "run.updated_at")),
        ({"finished_at": EARLY}, ("warning", "time_order", "run.finished_at")),
        ({"source": {"name": "folder/clip.mp4"}}, ("error", "source_leak", "run.source.name")),
        ({"source": {"name": "https://x/y?z"}}, ("error", "source_leak", "run.source.name")),
        ({"source": {"size_bytes": "9"}}, ("error", "source_value", "run.source.size_bytes")),
        ({"source": {"duration_sec": -1.0}}, ("error", "source_value", "run.source.duration_sec")),
        (
            {"source": {"decoded_frames": True}},
            ("error", "source_value", "run.source.decoded_frames"),
        ),
        (
            {"source": {"decoded_samples": 10**400}},
            ("error", "source_value", "run.source.decoded_samples"),
        ),
        ({"source": {"size_bytes": 2**53 + 1}}, ("error", "source_value", "run.source.size_bytes")),
        (
            {"source": {"video_stream": {"average_rate_hz": 10**400}}},
            ("error", "source_value", "run.source.video_stream.average_rate_hz"),
        ),
        (
            {"source": {"audio_stream": {"rate_hz": "48k"}}},
            ("error", "source_value", "run.source.audio_stream.rate_hz"),
        ),
        ({"status": "error"}, ("error", "run_status", "run.status")),
        ({"status": None}, ("error", "run_status", "run.status")),
        (
            {"finished_at": None, "status": None},
            ("warning", "run_unfinished", "run.finished_at"),
        ),
        (
            {"planned_components": ("loudness_extractor", "core_clip", "core_depth_midas")},
            ("error", "component_missing", "run.planned_components"),
        ),
        ({"planned_components": ("loudness_extractor",)}, ("warning", "plan", "core_clip")),
        (
            {"planned_components": ("core_clip", "loudness_extractor")},
            ("warning", "plan", "components"),
        ),
        (
            {"planned_components": ("loudness_extractor", "core_clip", "core_clip")},
            ("warning", "plan", "run.planned_components"),
        ),
    ],
)
def test_c3_each_fault_of_a_run_is_found(
    changes: dict[str, object], expected: tuple[str, str, str]
) -> None:
    assert found(changes) == [expected]


def test_c3_an_unfinished_run_has_no_status_and_says_what_is_missing() -> None:
    manifest = Manifest(build_run(finished_at=None), (build_component(),))
    unfinished, status = validate_manifest(manifest)
    assert (unfinished.level, unfinished.code) == ("warning", "run_unfinished")
    assert "core_clip not done" in unfinished.message
    assert (status.level, status.code) == ("error", "run_status")


def test_c3_a_manifest_without_the_fields_of_ours_has_no_issue() -> None:
    run = build_run(planned_components=(), profile={}, source={}, config_hash="0123456789abcdef")
    component = build_component(model_signature=None, schema_version=None)
    assert validate_manifest(Manifest(run, (component,))) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kind": "core"}, ("error", "kind_disagrees", "loudness_extractor.kind")),
        (
            {"models_used": (MODEL,)},
            ("error", "model_signature", "loudness_extractor.model_signature"),
        ),
        (
            {"reuse_key": {"parts": {"a": 1}, "digest": DIGEST}},
            ("error", "reuse_key", "loudness_extractor.reuse_key"),
        ),
        (
            {"reused_from_run_id": "../r0"},
            ("error", "bad_id", "loudness_extractor.reused_from_run_id"),
        ),
        ({"started_at": LATE}, ("warning", "time_order", "loudness_extractor.finished_at")),
        (
            {"artifacts": (ArtifactRecord("loudness_extractor/a.zip", 1, DIGEST, "npz"),)},
            ("error", "artifact_kind", "loudness_extractor.artifacts"),
        ),
        (
            {"required": True, "status": "empty", "empty_reason": "dependency_missing"},
            ("error", "required_but_empty", "loudness_extractor.status"),
        ),
        ({"blocked_by": "stranger"}, ("warning", "blocked_by", "loudness_extractor.blocked_by")),
        ({"blocked_by": "core_clip"}, ("warning", "blocked_by", "loudness_extractor.blocked_by")),
    ],
)
def test_c3_each_fault_of_a_component_is_found(
    changes: dict[str, object], expected: tuple[str, str, str]
) -> None:
    assert found(**changes) == [expected]


@pytest.mark.parametrize(
    "changes",
    [
        {"models_used": (MODEL,), "model_signature": sign_models([MODEL])},
        {"reuse_key": {"parts": {"a": 1}, "digest": hash_canonical({"a": 1})}},
        {"reuse_key": {"seen": "elsewhere"}},
        {"reused_from_run_id": "r0"},
        {"started_at": None},
        {"schema_version": "unheard_of_npz_v1"},
        {"required": True, "status": "empty", "empty_reason": "audio_missing_or_extract_failed"},
        {"status": "empty", "empty_reason": "dependency_missing"},
    ],
)
def test_c3_what_is_consistent_passes(changes: dict[str, object]) -> None:
    assert found(**changes) == []


def test_c6_a_component_is_blocked_by_one_that_did_not_end_ok() -> None:
    blocked = build_component(
        status="empty", empty_reason="dependency_missing", blocked_by="core_clip", required=True
    )
    failed = build_component("core_clip", status="error", error="x", artifacts=())
    assert validate_manifest(Manifest(build_run(), (blocked, failed))) == []
    pending = Manifest(build_run(finished_at=None, status=None), (blocked,))
    assert [issue.code for issue in validate_manifest(pending)] == ["run_unfinished"]
    (issue,) = validate_manifest(Manifest(build_run(), (replace(blocked, status="ok"), failed)))
    assert issue.message == "ok, though blocked by core_clip, which is error"
    unfinished = Manifest(
        build_run(finished_at=None, status=None), (replace(blocked, status="ok"),)
    )
    assert [issue.code for issue in validate_manifest(unfinished)] == [
        "run_unfinished",
        "blocked_by",
    ]


@pytest.mark.parametrize(
    ("statuses", "required", "failed"),
    [
        (["ok", "empty"], False, False),
        (["ok", "error"], False, False),
        (["ok", "error"], True, True),
        (["error", "error"], False, True),
        (["empty"], False, False),
    ],
)
def test_c6_a_run_failed_when_a_required_component_did_or_all(
    statuses: list[str], required: bool, failed: bool
) -> None:
    components = tuple(
        build_component(f"c{place}", status=status, required=required)
        for place, status in enumerate(statuses)
    )
    assert has_failed(Manifest(build_run(), components)) is failed


def test_c3_fields_that_are_always_written_are_missed_by_name() -> None:
    row: dict[str, object] = dict.fromkeys(ALWAYS_WRITTEN)
    assert find_absent_fields({"components": [{"name": "a", **row}]}) == []
    del row["device_used"], row["notes"]
    (issue,) = find_absent_fields({"components": [{"name": "a", **row}]})
    assert (issue.level, issue.code, issue.key) == ("warning", "field_absent", "a")
    assert "device_used, notes" in issue.message
    assert find_absent_fields([]) == []
    assert find_absent_fields({"components": {}}) == []


META: dict[str, object] = {
    "status": "ok",
    "empty_reason": None,
    "producer_version": "1.0.0",
    "schema_version": "audio_npz_v1",
    "config_hash": hash_config(PROFILE),
    "sampling_policy_version": "uniform_v1",
    "dataprocessor_version": "0.1.0",
    "model_signature": sign_models([]),
    "models_used": [],
}


def disagreements(meta: dict[str, object], **component: object) -> list[tuple[str, str]]:
    record = build_component(**component)  # type: ignore[arg-type]
    issues = validate_agreement({**META, **meta}, Manifest(build_run(), (record,)), record)
    assert {issue.code for issue in issues} <= {"manifest_disagrees"}
    return [(issue.level, issue.key) for issue in issues]


@pytest.mark.parametrize("key", [*META, "reused_from_run_id"])
def test_c8_meta_says_what_the_manifest_says(key: str) -> None:
    level = "warning" if key == "dataprocessor_version" else "error"
    assert disagreements({}) == []
    assert disagreements({key: "other"}) == [(level, f"meta.{key}")]


def test_c8_what_only_one_of_the_two_records_is_not_compared() -> None:
    assert validate_agreement({}, Manifest(build_run()), build_component()) == []
    assert disagreements({"empty_reason": ""}) == []
    assert disagreements({"models_used": [MODEL]}, model_signature=None) == []


def test_c8_what_the_manifest_says_of_reuse_and_models_is_missed_in_the_meta() -> None:
    reused = [("error", "meta.reused_from_run_id")]
    assert disagreements({}, reused_from_run_id="r0") == reused
    assert disagreements({"reused_from_run_id": None}, reused_from_run_id="r0") == reused
    assert disagreements({"reused_from_run_id": "r0"}, reused_from_run_id="r0") == []
    models = [("error", "meta.models_used")]
    assert disagreements({}, model_signature=None, models_used=(MODEL,)) == models
    agreed = {"models_used": [MODEL]}
    assert disagreements(agreed, model_signature=None, models_used=(MODEL,)) == []


def test_c8_a_meta_that_holds_arrays_disagrees_and_is_no_crash() -> None:
    odd = np.array([1, 2])
    assert disagreements({"status": odd}) == [("error", "meta.status")]
    models = {"models_used": [{"model_name": odd}]}
    assert disagreements(models, models_used=(MODEL,)) == [("error", "meta.models_used")]


@pytest.mark.parametrize(
    ("path", "kind", "good"),
    [
        (f"c/c.{DIGEST[:12]}.npz", "npz", True),
        ("c/c.npz", "npz", False),
        (f"c/d.{DIGEST[:12]}.npz", "npz", False),
        ("c/depth.npy", "npy", True),
    ],
)
def test_c4_an_artifact_is_named_by_its_content(path: str, kind: str, good: bool) -> None:
    issue = find_name_issue(ArtifactRecord(path, 1, DIGEST, kind), "c")  # type: ignore[arg-type]
    assert (issue is None) is good
    assert issue is None or (issue.level, issue.code) == ("warning", "artifact_name")
