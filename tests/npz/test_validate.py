"""C8: an artifact's file is judged whole, and judging never raises on bad content."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import filmcan
from filmcan.contract.meta import Identity, build_meta
from filmcan.contract.missing import build_empty_arrays
from filmcan.contract.schema import ArtifactSchema, parse_schema
from filmcan.errors import NotFoundError
from filmcan.npz.source import open_source
from filmcan.npz.validate import validate_npz, validate_source
from filmcan.npz.writer import write_npz
from filmcan.store.transaction import Product
from filmcan.testing.artifacts import COMPONENT, NOW, build_product, build_run_record
from filmcan.testing.made_schema import COMPONENT as PROBE
from filmcan.testing.made_schema import SCHEMA_VERSION as PROBE_VERSION
from filmcan.testing.made_schema import build_probe_arrays, build_schema_document

PLACE = Identity("local", "v1", "r1", COMPONENT)


def write(path: Path, product: Product) -> Path:
    with path.open("x+b") as file:
        write_npz(file, product.arrays, product.meta)
    return path


def codes(path: Path, *arguments: object, **options: object) -> list[str]:
    report = validate_npz(path, *arguments, **options)  # type: ignore[arg-type]
    return [issue.code for issue in report]


@pytest.fixture
def product() -> Product:
    return build_product(build_run_record())


def test_c8_a_good_artifact_has_no_issue(tmp_path: Path, product: Product) -> None:
    path = write(tmp_path / "a.npz", product)
    assert codes(path) == []
    assert codes(path, identity=PLACE) == []
    assert filmcan.validate_npz(path).ok


def test_c8_meta_is_held_to_its_place(tmp_path: Path, product: Product) -> None:
    path = write(tmp_path / "a.npz", product)
    elsewhere = Identity("local", "v2", "r1", COMPONENT)
    assert codes(path, identity=elsewhere) == ["meta_place"]


def test_c8_arrays_are_held_to_the_schema(tmp_path: Path, product: Product) -> None:
    arrays = {**product.arrays, "dt_sec": np.float64([1]), "more": np.zeros(1)}
    path = write(tmp_path / "a.npz", Product(product.record, arrays, product.meta))
    assert sorted(codes(path)) == ["dtype", "key_unknown"]


def test_c6_an_error_must_not_have_an_artifact(tmp_path: Path) -> None:
    product = build_product(build_run_record(), status="error", empty_reason=None)
    assert "error_with_artifact" in codes(write(tmp_path / "a.npz", product))


def with_schema(product: Product, schema_version: str) -> Product:
    return replace(product, meta={**product.meta, "schema_version": schema_version})


def test_c8_an_unknown_schema_is_an_error_unless_allowed(tmp_path: Path, product: Product) -> None:
    product = with_schema(product, "core_optical_flow_npz_v9")
    path = write(tmp_path / "a.npz", product)
    assert [(issue.level, issue.code) for issue in validate_npz(path)] == [
        ("error", "schema_unknown")
    ]
    report = validate_npz(path, allow_unknown_schema=True)
    assert [(issue.level, issue.code) for issue in report] == [("warning", "schema_unknown")]
    assert report.ok


def test_c8_frame_indices_are_judged_without_a_schema_too(tmp_path: Path, product: Product) -> None:
    product = with_schema(product, "x_npz_v1")
    arrays = {**product.arrays, "frame_indices": np.int32([3, 3])}
    path = write(tmp_path / "a.npz", Product(product.record, arrays, product.meta))
    assert codes(path, allow_unknown_schema=True) == ["schema_unknown", "not_increasing"]


def save_legacy(path: Path, **meta: object) -> Path:
    np.savez(path, meta=np.array(meta, dtype=object), frame_indices=np.int32([0, 5]))
    return path


def test_c8_a_given_list_relaxes_the_meta_of_foreign_artifacts(tmp_path: Path) -> None:
    path = save_legacy(tmp_path / "a.npz", producer="x", status="ok", schema_version="x_v2")
    strict = codes(path)
    assert "meta_key_missing" in strict
    assert "meta_json_missing" in strict
    assert "schema_unknown" in strict
    for keys, expected in (
        (["producer", "status"], []),
        ([], []),
        (["run_id"], ["meta_key_missing"]),
    ):
        report = validate_npz(path, keys, allow_unknown_schema=True)
        assert [issue.code for issue in report.errors] == expected


def test_an_artifact_without_any_schema_version_is_judged_as_far_as_possible(
    tmp_path: Path,
) -> None:
    path = save_legacy(tmp_path / "a.npz", producer="x", status="ok")
    report = validate_npz(path, [])
    assert report.ok
    assert [issue.code for issue in report] == ["schema_unknown"]


def save_probe(path: Path, *, meta: dict[str, object] | None = None, **changes: object) -> Path:
    """Write an ok artifact of the test schema, with some arrays and meta fields changed."""
    identity = Identity("local", "v1", "r1", PROBE)
    built = build_meta(
        identity,
        producer_version="1.0.0",
        schema_version=PROBE_VERSION,
        created_at=NOW,
        config_hash="0" * 64,
        sampling_policy_version="uniform_v1",
        dataprocessor_version="test",
        status="ok",
        empty_reason=None,
        models_used=[],
        optional={},
    )
    with path.open("x+b") as file:
        write_npz(file, build_probe_arrays(**changes), {**built, **(meta or {})})  # type: ignore[arg-type]
    return path


def find_probe(schema_version: str, component: str) -> ArtifactSchema:
    if (schema_version, component) != (PROBE_VERSION, PROBE):
        raise NotFoundError("unheard of")
    return parse_schema(build_schema_document(), PROBE)


def judge(
    path: Path, media: dict[str, object] | None = None, **changes: object
) -> list[tuple[str, str]]:
    """Return level and code of every finding about a probe artifact with some changes."""
    source = open_source(save_probe(path, **changes))  # type: ignore[arg-type]
    report, _ = validate_source(source, media=media, find_schema=find_probe)
    return [(issue.code, issue.key) for issue in report]


def test_c8_an_ok_artifact_of_a_given_schema_has_no_issue(tmp_path: Path) -> None:
    assert judge(tmp_path / "a.npz") == []
    assert validate_npz(tmp_path / "a.npz", find_schema=find_probe).ok
    assert codes(tmp_path / "a.npz") == ["schema_unknown"]


def test_c6_a_value_under_a_false_mask_is_found(tmp_path: Path) -> None:
    values = np.float32([[0.1, 0.2], [0.3, np.nan], [0, 1]])
    assert judge(tmp_path / "a.npz", values=values) == [("value_under_false_mask", "values")]


def test_c6_nan_under_a_true_mask_is_found(tmp_path: Path) -> None:
    values = np.float32([[0.1, np.nan], [np.nan, np.nan], [0, 1]])
    assert judge(tmp_path / "a.npz", values=values) == [("missing_under_true_mask", "values")]


def test_c6_nan_where_the_schema_does_not_allow_it_is_found(tmp_path: Path) -> None:
    plain = np.float32([0, np.nan, 0])
    assert judge(tmp_path / "a.npz", plain=plain) == [("missing_not_nullable", "plain")]


def test_c6_nothing_but_zeros_where_that_is_implausible_is_found(tmp_path: Path) -> None:
    values = np.float32([[0, 0], [np.nan, np.nan], [0, 0]])
    assert judge(tmp_path / "a.npz", values=values) == [("constant_zero", "values")]


def test_c6_a_zero_for_not_measured_is_found(tmp_path: Path) -> None:
    assert judge(tmp_path / "a.npz", counts=np.int32([0, 0, 3])) == [
        ("value_under_false_mask", "counts")
    ]


def test_c8_ok_without_samples_is_found(tmp_path: Path) -> None:
    empty = build_empty_arrays(parse_schema(build_schema_document(), PROBE), {})
    arrays = {**empty, "feature_values": np.float32([np.nan, 0, 0])}
    arrays["loudness_empty_reason"] = np.array("video_too_short")
    assert {code for code, _ in judge(tmp_path / "a.npz", **arrays)} == {"ok_without_samples"}


def test_c6_a_reason_without_empty_is_found(tmp_path: Path) -> None:
    assert judge(tmp_path / "a.npz", meta={"empty_reason": "video_too_short"}) == [
        ("reason_without_empty", "meta.empty_reason")
    ]
    assert judge(tmp_path / "b.npz", loudness_empty_reason=np.array("video_too_short")) == [
        ("reason_without_missing", "loudness_empty_reason")
    ]


def test_c6_empty_without_a_reason_is_found(tmp_path: Path) -> None:
    found = judge(tmp_path / "a.npz", meta={"status": "empty"})
    assert ("empty_without_reason", "meta.empty_reason") in found
    absent = {
        "loudness_present": np.zeros((), bool),
        "feature_values": np.float32([np.nan, 0.5, 1]),
    }
    assert judge(tmp_path / "b.npz", **absent) == [
        ("missing_without_reason", "loudness_empty_reason")
    ]


@pytest.mark.parametrize("times", [[0, 0.4, 0.2], [0, 0.2, 0.2]])
def test_c8_a_time_axis_that_does_not_grow_is_found(tmp_path: Path, times: list[float]) -> None:
    assert judge(tmp_path / "a.npz", times_sec=np.float32(times)) == [
        ("not_increasing", "times_sec")
    ]


@pytest.mark.parametrize("times", [[0, 1, 7], [-3, 0, 1]])
def test_c8_a_time_axis_outside_the_video_is_found(tmp_path: Path, times: list[float]) -> None:
    media = {"duration_sec": 2.0}
    assert judge(tmp_path / "a.npz", media) == []
    assert judge(tmp_path / "b.npz", media, times_sec=np.float32(times)) == [
        ("outside_source", "times_sec")
    ]


def test_c8_a_frame_that_the_source_does_not_have_is_found(tmp_path: Path) -> None:
    media = {"decoded_frames": 9, "failed_frames": 0}
    assert judge(tmp_path / "a.npz", media) == [("outside_source", "frame_indices")]


def test_c8_frames_are_held_to_the_source_without_a_schema_too(tmp_path: Path) -> None:
    path = save_probe(tmp_path / "a.npz")
    report, _ = validate_source(
        open_source(path),
        allow_unknown_schema=True,
        media={"decoded_frames": 1, "failed_frames": 0, "duration_sec": 0.01},
    )
    assert [issue.code for issue in report] == ["schema_unknown", "outside_source"]


def test_c6_a_key_stored_as_none_is_found(tmp_path: Path) -> None:
    nothing = np.empty((), object)
    found = judge(tmp_path / "a.npz", extra=nothing)
    assert ("stored_none", "extra") in found
    path = tmp_path / "b.npz"
    np.savez(path, meta=np.array({"schema_version": "x_v2"}, object), hands=nothing)
    assert "stored_none" in codes(path, [], allow_unknown_schema=True)


def test_c9_features_without_a_value_each_are_found_without_a_schema_too(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    meta = np.array({"schema_version": "x_v2"}, object)
    np.savez(path, meta=meta, feature_names=np.array(["a", "b"]), feature_values=np.zeros(3))
    assert codes(path, [], allow_unknown_schema=True) == ["schema_unknown", "shape"]


def test_c4_a_meta_that_differs_from_meta_json_is_found(tmp_path: Path) -> None:
    product = build_product(build_run_record())
    other = json.dumps({**product.meta, "run_id": "r2"})
    path = save_by_hand(tmp_path / "a.npz", product, other)
    assert codes(path) == ["meta_disagrees"]
    assert codes(path, []) == ["meta_disagrees"]


def test_c4_a_meta_json_that_is_not_canonical_is_a_warning(tmp_path: Path) -> None:
    product = build_product(build_run_record())
    path = save_by_hand(tmp_path / "a.npz", product, json.dumps(product.meta, indent=1))
    report = validate_npz(path)
    assert [(issue.level, issue.code) for issue in report] == [("warning", "meta_not_canonical")]
    assert codes(path, []) == []


@pytest.mark.parametrize("text", ['{"a":1', '{"a":1,"a":1}', "[]"])
def test_c4_a_meta_json_that_is_no_json_is_found(tmp_path: Path, text: str) -> None:
    path = save_by_hand(tmp_path / "a.npz", build_product(build_run_record()), text)
    (issue,) = validate_npz(path)
    assert (issue.level, issue.key) == ("error", "meta_json")


def save_by_hand(path: Path, product: Product, meta_json: str) -> Path:
    meta = np.empty((), object)
    meta[()] = dict(product.meta)
    np.savez(path, **product.arrays, meta=meta, meta_json=np.array(meta_json))  # type: ignore[arg-type]
    return path


def test_c4_an_unknown_version_of_the_processor_is_a_warning(tmp_path: Path) -> None:
    report = validate_npz(
        save_probe(tmp_path / "a.npz", meta={"dataprocessor_version": "unknown"}),
        find_schema=find_probe,
    )
    assert [(issue.level, issue.code) for issue in report] == [("warning", "version_unknown")]


def test_c8_what_only_filmcan_writes_is_not_asked_of_artifacts_from_elsewhere(
    tmp_path: Path,
) -> None:
    meta = {"producer": "x", "status": "ok", "models_used": [], "model_signature": ""}
    path = save_legacy(tmp_path / "a.npz", **meta, created_at="2026-01-31T12:00:00Z")
    assert validate_npz(path, ["producer", "status"]).ok


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: path.write_bytes(b""), None),
        (lambda path: path.write_bytes(b"not a zip at all" * 100), None),
        (lambda path: np.savez(path, a=np.zeros(3)), "meta_missing"),
        (lambda path: np.savez(path, meta=np.zeros(3)), None),
        (lambda path: np.savez(path, meta=np.array([1], dtype=object)), None),
        (os.mkfifo, None),
        (lambda path: path.mkdir(), None),
    ],
)
def test_c8_bad_content_is_a_report_never_an_exception(
    tmp_path: Path, make: Callable[[Path], object], code: str | None
) -> None:
    path = tmp_path / "bad.npz"
    make(path)
    report = validate_npz(path)
    assert not report.ok
    if code is not None:
        assert code in [issue.code for issue in report]


def test_c8_what_was_carried_from_elsewhere_is_summed_up_in_its_place(tmp_path: Path) -> None:
    mark = {"imported": {"form": "carried"}}
    path = save_probe(tmp_path / "a.npz", meta=mark, plain=np.float32([0, np.nan, 0]))
    for allowed, expected in ((False, "missing_not_nullable"), (True, "imported_carried")):
        report, _ = validate_source(
            open_source(path), find_schema=find_probe, allow_carried=allowed
        )
        assert [issue.code for issue in report] == [expected]
        assert report.ok is allowed


@pytest.mark.parametrize("required", [None, ()])
@pytest.mark.parametrize("key", [*build_product(build_run_record()).meta, "imported"])
def test_c8_an_array_for_any_value_of_the_meta_is_reported(
    tmp_path: Path, product: Product, key: str, required: tuple[str, ...] | None
) -> None:
    for number, odd in enumerate((np.array(["ok", "error"]), np.zeros(0), {"form": np.zeros(2)})):
        damaged = Product(product.record, product.arrays, {**product.meta, key: odd})
        path = save_by_hand(tmp_path / f"{number}.npz", damaged, json.dumps(dict(product.meta)))
        for carried in (False, True):
            report, meta = validate_source(
                open_source(path), required, identity=PLACE, allow_carried=carried
            )
            assert not report.ok
            assert meta is not None


def test_p9_every_flipped_bit_is_found_or_harmless(tmp_path: Path, product: Product) -> None:
    buffer = io.BytesIO()
    write_npz(buffer, product.arrays, product.meta)
    data = bytearray(buffer.getvalue())
    path = tmp_path / "flipped.npz"
    reference = filmcan.read_meta(write(tmp_path / "good.npz", product))
    for offset in range(0, len(data), 7):
        data[offset] ^= 1 << (offset % 8)
        path.write_bytes(data)
        if validate_npz(path).ok:
            assert filmcan.read_meta(path) == reference
        data[offset] ^= 1 << (offset % 8)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        validate_npz(tmp_path / "none.npz")
