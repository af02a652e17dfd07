"""Whole runs of the components whose weights cannot be had from the package registries.

With networks of the documented form they run from the file to the validated artifact; without any
weights they are empty and name the command.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filmcan.contract.model_used import ModelUsed
from filmcan.errors import AssetError
from filmcan.models import onnx_network
from filmcan.models.cache import CACHE_VARIABLE
from filmcan.models.catalog import CATALOG_VARIABLE
from filmcan.models.weights import FIXTURES_VARIABLE, Weights, get_weights
from filmcan.operations.explain import explain_run
from filmcan.operations.process import plan_settings, process_video
from filmcan.operations.validation import validate_target
from filmcan.store.run import Run
from filmcan.testing.fixture_networks import (
    CLAP,
    CLIP,
    MIDAS,
    build_audio_tower,
    build_clip_tokenizer,
    build_depth_network,
    build_text_tower,
    pull,
    write_catalog,
)
from filmcan.testing.made_media import ClipSound, ClipVideo, build_tone, make_media, make_picture

MODELS = {"core_clip": CLIP, "core_depth_midas": MIDAS, "clap_extractor": CLAP}
SETTINGS = [f"components.{name}.model={model}" for name, model in MODELS.items()]


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a made clip of 12 s with a tone: two segments of sound, 25 sampled frames."""
    path = tmp_path_factory.mktemp("media") / "long.mp4"
    sound = ClipSound(build_tone(12.0, hz=440.0, channels=2), layout="stereo")
    return make_media(path, ClipVideo(frames=120, rate_hz=10, size=(192, 108)), sound)


def process(source: Path, folder: Path, *settings: str, **options: object) -> Run:
    options = {"only": list(MODELS), **options}
    run = process_video(
        source,
        store=folder / "store",
        settings=[*SETTINGS, *settings],
        **options,  # type: ignore[arg-type]
    )
    verdict = validate_target(str(folder / "store" / run.path))
    assert verdict.report.ok, list(verdict.report.errors)
    return run


@pytest.mark.usefixtures("fixture_models")
def test_c8_with_networks_of_the_documented_form_all_three_run_end_to_end(
    long_clip: Path, tmp_path: Path
) -> None:
    run = process(long_clip, tmp_path, "components.core_depth_midas.store_maps=true")
    for name, record in run.components.items():
        assert record.status == "ok", record.error
        assert {row["model_name"] for row in record.models_used} == {MODELS[name]}
        assert run[name].meta["models_used"] == list(record.models_used)
    clip, depth, sound = (run[name] for name in MODELS)
    count = len(clip["frame_indices"])
    assert clip["frame_embeddings"].shape == (count, 512)
    assert clip["prompt_scores"].shape == (count, len(clip["prompts"]))
    np.testing.assert_allclose(np.linalg.norm(clip["frame_embeddings"], axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(clip["prompt_embeddings"], axis=1), 1.0, atol=1e-5)
    groups = clip["prompt_groups"]
    assert list(dict.fromkeys(groups.tolist())) == [
        "shot_quality",
        "aesthetics",
        "scene",
        "mood",
    ]
    for group in np.unique(groups):
        scores = clip["prompt_scores"][:, groups == group]
        np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)
    assert depth.meta["normalization"] == "graph"
    assert depth["depth_maps"].shape == (count, 256, 256)
    assert depth["preview_maps"].shape == (4, 36, 64)
    assert sound["segment_embeddings"].shape == (2, 512)
    np.testing.assert_allclose(sound["segment_start_sec"], [0, 10], atol=0.05)


@pytest.mark.usefixtures("fixture_models")
def test_c11_the_model_is_hashed_and_the_batch_size_is_not(long_clip: Path, tmp_path: Path) -> None:
    first = process(long_clip, tmp_path, "execution.batch_size=2", only=["core_clip"])
    second = process(long_clip, tmp_path, "execution.batch_size=7", only=["core_clip"])
    other = process(
        long_clip,
        tmp_path,
        "components.core_depth_midas.model=midas_v21_small",
        only=["core_clip"],
    )
    hashes = [run.manifest.run.config_hash for run in (first, second, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    np.testing.assert_allclose(
        first["core_clip"]["frame_embeddings"], second["core_clip"]["frame_embeddings"], atol=1e-6
    )


@pytest.mark.usefixtures("fixture_models")
def test_c11_what_networks_measured_is_found_again_and_a_network_of_another_digest_runs(
    long_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = process(long_clip, tmp_path)
    assert process(long_clip, tmp_path).run_id == first.run_id
    original = get_weights(MIDAS)
    changed = replace(original, digests=dict.fromkeys(original.digests, "1" * 64))

    def choose(name: str) -> Weights:
        return changed if name == MIDAS else get_weights(name)

    for place in ("network_form", "visual.core_depth_midas.component"):
        monkeypatch.setattr(f"filmcan.components.{place}.get_weights", choose)
    second = process(long_clip, tmp_path)
    computed = [name for name, item in second.components.items() if item.reused_from_run_id is None]
    assert computed == ["core_depth_midas"]
    plan = plan_settings(None, SETTINGS, list(MODELS))
    story = explain_run(second.path, str(tmp_path / "store"), plan, component="core_depth_midas")
    assert [item.part for item in story.components[0].changed] == ["model_signature"]


@pytest.mark.usefixtures("fixture_models")
def test_c11_a_fallback_is_known_by_what_ran(
    long_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a device was planned and refused, the result is never taken for the device's own."""
    original = onnx_network.plan_network

    def plan(*arguments: Any, **options: Any) -> ModelUsed:
        return replace(original(*arguments, **options), device="cuda")

    only = ["core_depth_midas"]
    honest = process(long_clip, tmp_path, only=only)
    monkeypatch.setattr("filmcan.components.network_form.plan_network", plan)
    fallen = process(long_clip, tmp_path, only=only)
    assert fallen.run_id != honest.run_id
    keys = [run.components["core_depth_midas"].reuse_key for run in (honest, fallen)]
    assert keys[0] == keys[1]
    assert process(long_clip, tmp_path, only=only).run_id != fallen.run_id


@pytest.mark.usefixtures("fixture_models")
def test_c6_a_still_picture_is_one_frame(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    run = process(make_picture(tmp_path / "still.png", picture), tmp_path)
    assert run.components["core_clip"].status == run.components["core_depth_midas"].status == "ok"
    assert run["core_clip"]["frame_embeddings"].shape == (1, 512)
    assert run.components["clap_extractor"].empty_reason == "audio_missing_or_extract_failed"


def test_c6_without_weights_each_ends_empty_with_the_command_or_in_error_when_required(
    long_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "no_weights"))
    run = process_video(
        long_clip,
        store=tmp_path / "store",
        only=list(MODELS),
        settings=["components.core_depth_midas.required=true"],
    )
    for name, model in (("core_clip", "clip_vit_b32"), ("clap_extractor", "clap_htsat_unfused")):
        record = run.components[name]
        assert (record.status, record.empty_reason) == ("empty", "dependency_missing")
        assert str(record.notes).endswith(f"Run: filmcan models pull {model}")
    record = run.components["core_depth_midas"]
    assert record.status == "error"
    assert str(record.error).endswith("Run: filmcan models pull midas_v21_small")
    assert run.status == "error"


def test_c6_a_network_that_cannot_be_run_is_this_components_error_alone(
    long_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An asset with the right file names and another network in them."""
    files = {
        "vision_model.onnx": build_audio_tower(),
        "text_model.onnx": build_text_tower(),
        "tokenizer.json": build_clip_tokenizer(()).encode(),
    }
    depth = {"model-small.onnx": build_depth_network()}
    catalog = write_catalog(tmp_path, {"fixture-wrong": files, MIDAS: depth})
    monkeypatch.setenv(CATALOG_VARIABLE, str(catalog))
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    pull(("fixture-wrong", MIDAS))
    only = ["core_clip", "core_depth_midas"]
    run = process(long_clip, tmp_path, "components.core_clip.model=fixture-wrong", only=only)
    record = run.components["core_clip"]
    assert record.status == "error"
    assert str(record.error).startswith("network_form: expected pixel_values")
    assert run.components["core_depth_midas"].status == "ok"


@pytest.mark.usefixtures("fixture_models")
@pytest.mark.parametrize("name", MODELS)
def test_a_network_made_for_tests_is_refused_to_everybody_else(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The whole run is refused, before anything is decoded or written."""
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    setting = f"components.{name}.model={MODELS[name]}"
    with pytest.raises(AssetError, match="made for tests") as caught:
        process_video(clip, store=tmp_path / "store", only=[name], settings=[setting])
    assert (caught.value.code, caught.value.where) == ("fixture_model", MODELS[name])
    assert not list(tmp_path.rglob("manifest.json"))
    monkeypatch.setenv(FIXTURES_VARIABLE, "1")
    process_video(clip, store=tmp_path / "store", only=[name], settings=[setting])
