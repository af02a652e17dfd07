"""C4: meta is complete, consistent, and agrees with its place and with meta_json."""

from __future__ import annotations

import numpy as np
import pytest

from filmcan.contract.meta import (
    OPTIONAL_META_KEYS,
    REQUIRED_META_KEYS,
    Identity,
    build_meta,
    find_meta_difference,
    validate_meta,
)

IDENTITY = Identity("local", "v1", "r1", "tempo_extractor")
MODEL = {
    "model_name": "m",
    "model_version": "1",
    "weights_digest": "sha256:0",
    "runtime": "onnxruntime",
    "engine": "cpu",
    "precision": "float32",
    "device": "cpu",
}


def build(**changes: object) -> dict[str, object]:
    meta = build_meta(
        IDENTITY,
        producer_version="1.0.0",
        schema_version="audio_npz_v1",
        created_at="2026-01-31T12:00:00.000Z",
        config_hash="0" * 64,
        sampling_policy_version="uniform_v1",
        dataprocessor_version="0.1.0",
        status="ok",
        empty_reason=None,
        models_used=[MODEL],
        optional={"seed": 0},
    )
    return {**meta, **changes}


def codes(meta: dict[str, object], **options: object) -> list[tuple[str, str]]:
    issues = validate_meta(meta, **options)  # type: ignore[arg-type]
    return [(issue.code, issue.key) for issue in issues]


def test_c4_a_built_meta_is_complete_and_valid() -> None:
    meta = build()
    assert set(REQUIRED_META_KEYS) <= set(meta)
    assert codes(meta, identity=IDENTITY) == []


@pytest.mark.parametrize("key", REQUIRED_META_KEYS)
def test_c4_every_required_key_is_missed(key: str) -> None:
    meta = build()
    del meta[key]
    assert ("meta_key_missing", f"meta.{key}") in codes(meta)


def test_c8_given_keys_are_taken_literally_even_none_at_all() -> None:
    meta = build()
    del meta["producer_version"]
    assert codes(meta, required_keys=[]) == []
    assert codes(meta, required_keys=["status"]) == []
    assert codes(meta, required_keys=["producer_version"]) != []
    assert codes({**meta, "legacy": 1}, required_keys=[]) == []
    assert ("meta_key_unknown", "meta.legacy") in codes({**meta, "legacy": 1})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": "fine"}, "meta_value"),
        ({"status": "empty"}, "empty_without_reason"),
        ({"status": "empty", "empty_reason": ""}, "empty_without_reason"),
        ({"empty_reason": "video_too_short"}, "reason_without_empty"),
        ({"created_at": "2026-01-31T12:00:00Z"}, "meta_value"),
        ({"created_at": "2026-13-31T12:00:00.000Z"}, "meta_value"),
        ({"producer_version": ""}, "meta_value"),
        ({"config_hash": 7}, "meta_value"),
        ({"video_id": "../x"}, "meta_value"),
        ({"models_used": {}}, "meta_value"),
        ({"models_used": [{"model_name": "m"}]}, "meta_value"),
        ({"model_signature": "0" * 64}, "meta_value"),
    ],
)
def test_c4_a_wrong_value_is_found(changes: dict[str, object], code: str) -> None:
    assert code in [found for found, _ in codes(build(**changes))]


def test_c6_a_reason_nobody_declared_is_a_warning() -> None:
    meta = build(status="empty", empty_reason="cat_on_keyboard")
    (issue,) = validate_meta(meta)
    assert (issue.level, issue.code) == ("warning", "reason_not_declared")
    assert validate_meta(meta, empty_reasons=["cat_on_keyboard"]) == []


@pytest.mark.parametrize("key", ["platform_id", "video_id", "run_id", "producer"])
def test_c8_meta_must_agree_with_its_place(key: str) -> None:
    assert ("meta_place", f"meta.{key}") in codes(build(**{key: "elsewhere"}), identity=IDENTITY)


def test_c4_a_difference_between_meta_and_meta_json_is_named() -> None:
    meta = build()
    assert find_meta_difference(meta, dict(meta)) is None
    assert "status" in str(find_meta_difference(meta, {**meta, "status": "empty"}))
    assert "only in meta_json" in str(find_meta_difference(meta, {**meta, "more": 1}))
    assert "only in meta" in str(find_meta_difference({**meta, "more": 1}, meta))
    assert find_meta_difference(meta, []) is not None
    assert find_meta_difference({**meta, "seed": float("nan")}, meta) is not None


def test_c4_an_unknown_processor_is_a_warning_whoever_wrote_it() -> None:
    meta = build(dataprocessor_version="unknown")
    for required in (None, []):
        (issue,) = validate_meta(meta, required_keys=required)
        assert (issue.level, issue.code) == ("warning", "version_unknown")


def test_c4_models_that_no_json_can_say_are_found() -> None:
    rows = [{**MODEL, "score": float("nan")}]
    assert ("meta_value", "meta.models_used") in codes(build(models_used=rows))


ODD = (np.array(["ok", "empty"]), np.zeros(0), np.int64(5), ("x",), b"x")


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("key", [*REQUIRED_META_KEYS, "seed", "imported"])
def test_c8_a_value_that_no_json_has_is_found_and_the_rest_is_judged(key: str, odd: object) -> None:
    wrong = "producer_version" if key != "producer_version" else "config_hash"
    meta = build(**{wrong: ""}) | {key: odd}
    found = codes(meta, identity=IDENTITY)
    assert ("meta_value", f"meta.{key}") in found
    assert ("meta_value", f"meta.{wrong}") in found


def test_c8_values_under_the_names_of_others_are_not_judged_with_given_keys() -> None:
    odd = np.zeros(2)
    meta = build(seed=odd, theirs=odd)
    assert codes(meta, required_keys=[]) == []
    assert codes({**meta, "status": odd}, required_keys=[]) == [("meta_value", "meta.status")]
    assert ("meta_value", "meta.theirs") in codes(meta, extra_keys=["theirs"])


def test_c8_arrays_inside_of_values_are_judged_too() -> None:
    odd = np.zeros(2)
    for changes in (
        {"models_used": [odd]},
        {"models_used": [{**MODEL, "device": odd}]},
        {"models_used": [{**MODEL, "more": odd}]},
        {"status": [odd]},
        {"empty_reason": [odd]},
    ):
        assert codes(build(**changes), identity=IDENTITY) != []


@pytest.mark.parametrize("key", OPTIONAL_META_KEYS)
def test_c6_an_optional_key_is_left_out_and_never_none(key: str) -> None:
    assert codes(build(**{key: None})) == [("stored_none", f"meta.{key}")]
    assert codes(build(**{key: None}), required_keys=[]) == []


@pytest.mark.parametrize(
    ("changes", "is_good"),
    [
        ({"seed": 2**40}, True),
        ({"seed": "abc"}, False),
        ({"seed": True}, False),
        ({"seed": 1.0}, False),
        ({"git_commit": "0a1b"}, True),
        ({"git_commit": ""}, False),
        ({"git_commit": {}}, False),
        ({"reused_from_run_id": "r0"}, True),
        ({"reused_from_run_id": "../r0"}, False),
        ({"reused_from_run_id": 7}, False),
        ({"imported": {"form": "upgraded"}}, True),
        ({"imported": 5}, False),
        ({"runtime_env": {"python": "3.12"}, "parameters": {}}, True),
        ({"imported": {}, "seed": "abc", "git_commit": ["a"]}, True),
    ],
)
def test_c4_what_is_optional_says_what_it_is_there_to_say(
    changes: dict[str, object], is_good: bool
) -> None:
    wrong = [] if is_good else [("meta_value", f"meta.{next(iter(changes))}")]
    assert codes(build(**changes)) == wrong


def test_c8_a_foreign_signature_is_not_recomputed() -> None:
    assert codes(build(model_signature=""), required_keys=[]) == []
