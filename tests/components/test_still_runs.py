"""A default run of a picture file: what each of the nine components makes of one frame (C6.6)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from filmcan.models.weights import Weights
from filmcan.operations.process import process_video
from filmcan.operations.validation import validate_target

SOUND, WEIGHTS = "audio_missing_or_extract_failed", "dependency_missing"


@pytest.mark.registry
@pytest.mark.parametrize("name", ["upright.png", "turned.jpg", "gray.png", "alpha.png"])
def test_c6_each_component_ends_as_the_contract_says(
    media_corpus: Path, tmp_path: Path, model_cache: Callable[[str], Weights], name: str
) -> None:
    for model in ("mediapipe_face", "ssd_mobilenetv2_oidv4"):
        model_cache(model)
    source = tmp_path / name
    with Image.open(media_corpus / "image" / "astronaut.png") as astronaut:
        if name == "turned.jpg":
            exif = Image.Exif()
            exif[0x0112] = 6  # turn the stored picture right by a quarter to see it upright
            astronaut.transpose(Image.Transpose.ROTATE_90).save(source, exif=exif, quality=95)
        else:
            mode = {"gray.png": "L", "alpha.png": "RGBA"}.get(name, "RGB")
            astronaut.convert(mode).save(source)
    run = process_video(
        source,
        store=tmp_path / "store",
        settings=["components.core_object_detections.model=ssd_mobilenetv2_oidv4"],
    )
    verdict = validate_target(str(tmp_path / "store" / run.path))
    assert verdict.report.ok, list(verdict.report.errors)
    assert {item.name: item.empty_reason for item in run.manifest.components} == {
        "loudness_extractor": SOUND,
        "tempo_extractor": SOUND,
        "clap_extractor": run.components["clap_extractor"].empty_reason,
        "text_processor": "no_text_available",
        "core_clip": run.components["core_clip"].empty_reason,
        "core_depth_midas": run.components["core_depth_midas"].empty_reason,
        "core_object_detections": None,
        "core_optical_flow": "video_too_short",
        "core_face_landmarks": None,
    }
    for component in ("core_clip", "core_depth_midas"):
        assert run.components[component].empty_reason in (None, WEIGHTS), "as the cache has it"
    assert run.components["clap_extractor"].empty_reason in (SOUND, WEIGHTS)
    faces, objects = run["core_face_landmarks"], run["core_object_detections"]
    assert faces["frame_indices"].tolist() == objects["frame_indices"].tolist() == [0]
    assert faces["face_present"].sum() == 1
    nose = faces["landmarks"][0, 0, 1, :2] * 512
    assert nose == pytest.approx([224.1, 131.2], abs=2.0)
    if name != "gray.png":  # without colour the detector is not sure of her
        assert "Person" in objects["class_names"][objects["class_ids"][objects["box_present"]]]
