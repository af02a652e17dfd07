from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np
import pytest

from filmcan.components.base import Component, Inputs
from filmcan.components.catalog import get_component_class
from filmcan.components.visual.core_object_detections import coco
from filmcan.errors import AssetError, BadProfileError, NotFoundError
from filmcan.models.cache import CACHE_VARIABLE, open_cache
from filmcan.models.catalog import load_catalog
from filmcan.models.weights import Weights
from filmcan.operations.process import process_video
from filmcan.operations.validation import validate_target
from filmcan.pipeline.plan import plan_run
from filmcan.pipeline.profile import resolve_profile
from filmcan.testing.component_suite import (
    Cases,
    ComponentSuite,
    get_default_parameters,
    get_features,
)
from filmcan.testing.fake_frames import build_fake_frames
from filmcan.testing.fake_media import build_inputs

if TYPE_CHECKING:
    from filmcan.store.run import Run

NAME = "core_object_detections"
SSD = "ssd_mobilenetv2_oidv4"

MakeModel = Callable[[Mapping[str, bytes]], Weights]

FOUND = (("person", 0.9, 100, 100, 80, 160), ("person", 0.8, 300, 120, 80, 160))
"""Class, score, centre x y, width and height in the 416 pixels of the network."""


def build_yolox(objects: Sequence[tuple[str, float, float, float, float, float]]) -> bytes:
    """Return a YOLOX export of the true form that sees these objects wherever it is bright.

    Objectness is multiplied by the mean of the picture over 255: a black frame shows nothing.
    """
    from onnx import TensorProto, helper, numpy_helper

    rows = np.zeros((1, 3549, 85), np.float32)
    for name, score, x, y, width, height in objects:
        column, line = int(x // 32), int(y // 32)
        row = rows[0, 52 * 52 + 26 * 26 + line * 13 + column]
        row[:4] = x / 32 - column, y / 32 - line, np.log(width / 32), np.log(height / 32)
        row[4], row[5 + coco.LABELS.index(name)] = 1.0, score
    gain = np.zeros((1, 1, 85), np.float32)
    gain[..., 4] = 1.0
    constants = {
        "rows": rows,
        "gain": gain,
        "rest": 1.0 - gain,
        "full": np.array(255.0, np.float32),
    }
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "full"], ["bright"]),
        helper.make_node("Mul", ["gain", "bright"], ["dimmed"]),
        helper.make_node("Add", ["dimmed", "rest"], ["factors"]),
        helper.make_node("Mul", ["rows", "factors"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "fixture",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 416, 416])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3549, 85])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(
        graph, opset_imports=opsets, ir_version=8
    ).SerializeToString()
    return content


def play(*pictures: np.ndarray | None) -> Inputs:
    return build_inputs(frames=build_fake_frames(pictures, rate_hz=2.0))


def make_frame(value: int, width: int = 416, height: int = 416) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


class TestYolox(ComponentSuite):
    """The component on a made network of the true form."""

    component_name: ClassVar[str] = NAME

    @pytest.fixture(autouse=True)
    def _prepare(self, make_model: MakeModel) -> None:
        make_model({"yolox_made.onnx": build_yolox(FOUND)})

    def build_component(self, **changes: object) -> Component:
        return super().build_component(**{"model": "fixture-own", **changes})

    def make_cases(self) -> Cases:
        return {
            "typical": lambda: play(make_frame(255), make_frame(0), make_frame(255)),
            "one frame": lambda: play(make_frame(255)),
            "nothing in any frame": lambda: play(make_frame(0), make_frame(0)),
            "one lost frame": lambda: play(make_frame(255), None, make_frame(0)),
            "odd and upright": lambda: play(make_frame(255, 357, 641)),
            "a single pixel": lambda: play(make_frame(255, 1, 1)),
            "a thread": lambda: play(make_frame(255, 2000, 1)),
        }

    def test_c6_nothing_found_is_a_measurement(self) -> None:
        result = self.build_component().run(play(make_frame(0), None, make_frame(0)))
        assert result.status == "ok"
        assert result.arrays["det_count"].tolist() == [0, -1, 0]
        assert result.arrays["person_count"].tolist() == [0, -1, 0]
        assert result.arrays["boxes"].shape == (3, 0, 4)
        features = get_features(result)
        assert (features["detection_frame_count"], features["class_count"]) == (2.0, 0.0)
        assert np.isnan(features["score_mean"])

    def test_c6_frames_that_all_failed_are_no_missing_objects(self) -> None:
        result = self.build_component().run(play(None, None))
        assert (result.status, result.empty_reason) == ("empty", "video_stream_missing")

    def test_objects_features_and_meta_are_those_of_the_network(self) -> None:
        result = self.build_component().run(play(make_frame(255), make_frame(0)))
        arrays, features = result.arrays, get_features(result)
        assert arrays["class_names"].tolist() == list(coco.LABELS)
        assert arrays["det_count"].tolist() == arrays["person_count"].tolist() == [2, 0]
        assert arrays["class_ids"].tolist() == [[0, 0], [-1, -1]]
        np.testing.assert_allclose(
            arrays["boxes"][0] * 416, [[60, 20, 140, 180], [260, 40, 340, 200]], atol=1e-3
        )
        np.testing.assert_allclose(arrays["scores"][0], [0.9, 0.8], atol=1e-6)
        assert features["det_count_mean"] == features["det_count_std"] == 1.0
        assert features["person_frame_share"] == features["frame_share[person]"] == 0.5
        assert features["frame_share[toothbrush]"] == 0.0
        assert features["class_count"] == 1.0
        assert features["score_mean"] == pytest.approx(0.85)
        area = pytest.approx(80 * 160 / 416**2)
        assert features["box_area_mean"] == features["person_area_mean"] == area
        assert result.extra_meta == {"score_threshold": 0.3, "nms_iou": 0.45, "nms_scope": "class"}
        assert [row.model_name for row in result.models_used] == ["fixture-own"]
        assert result.notes[0] == "LABELS: 80 classes of COCO, model fixture-own."


@pytest.mark.registry
class TestSsd(ComponentSuite):
    """The component on the real weights that the package registries provide."""

    component_name: ClassVar[str] = NAME
    pictures: dict[str, np.ndarray]

    @pytest.fixture(autouse=True)
    def _prepare(self, model_cache: Callable[[str], Weights], media_corpus: Path) -> None:
        model_cache(SSD)
        self.pictures = {}
        for name in ("astronaut.png", "chelsea_cat.png", "coffee.png", "rocket.jpg"):
            picture = cv2.imread(str(media_corpus / "image" / name))
            assert picture is not None, name
            self.pictures[name.partition(".")[0]] = np.ascontiguousarray(picture[:, :, ::-1])

    def build_component(self, **changes: object) -> Component:
        return super().build_component(**{"model": SSD, **changes})

    def make_cases(self) -> Cases:
        astronaut = self.pictures["astronaut"]
        return {
            "typical": lambda: play(astronaut, None, np.zeros_like(astronaut)),
            "small": lambda: play(make_frame(90, 7, 5)),
        }

    @pytest.mark.parametrize(
        ("picture", "label", "score", "box"),
        [
            ("astronaut", "Person", 0.5867, (0.0347, 0.0326, 0.7110, 0.9939)),
            ("chelsea_cat", "Cat", 0.8508, (0.0068, 0.0023, 0.9377, 0.9989)),
            ("coffee", "Coffee cup", 0.5594, (0.2913, 0.0553, 0.7013, 0.8039)),
        ],
    )
    def test_objects_are_those_of_the_reference(
        self, picture: str, label: str, score: float, box: tuple[float, ...]
    ) -> None:
        """Source of the boxes: MediaPipe's own graph on the same weights."""
        arrays = self.build_component().run(play(self.pictures[picture])).arrays
        assert arrays["class_names"][arrays["class_ids"][0]].tolist() == [label]
        assert arrays["scores"].tolist() == [[pytest.approx(score, abs=1e-3)]]
        np.testing.assert_allclose(arrays["boxes"][0, 0], box, atol=5e-3)

    def test_a_rocket_is_nothing_of_it(self) -> None:
        result = self.build_component(ssd_min_score=0.3).run(play(self.pictures["rocket"]))
        assert result.arrays["det_count"].tolist() == [0]

    def test_the_label_set_is_said_loudly(self) -> None:
        result = self.build_component().run(play(self.pictures["coffee"]))
        names = result.arrays["class_names"].tolist()
        assert (len(names), names[0], names[3], names[-1]) == (23, "Bicycle", "Person", "Car")
        assert result.notes[0].startswith(f"LABELS: 23 classes of Open Images V4, model {SSD}.")
        assert result.notes[0].endswith("filmcan models pull yolox_tiny")
        assert result.extra_meta["nms_scope"] == "all"
        assert [(row.model_name, row.precision) for row in result.models_used] == [(SSD, "float16")]


def pretend_cached(model: str) -> None:
    """Put files of the right size where a model's weights would lie."""
    for file in load_catalog().get(model).files:
        path = open_cache().path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as opened:
            opened.truncate(file.size_bytes)


@pytest.mark.parametrize(
    ("cached", "chosen"),
    [((), "yolox_tiny"), ((SSD,), SSD), (("yolox_tiny", SSD), "yolox_tiny")],
)
def test_c11_auto_is_settled_before_hashing(
    cached: Sequence[str], chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    for model in cached:
        pretend_cached(model)
    plan = plan_run(resolve_profile(), ["core_optical_flow"])
    assert plan.profile.section("components", NAME)["model"] == chosen
    named = resolve_profile(settings={f"components.{NAME}.model": chosen})
    assert plan.profile.config_hash == named.config_hash != resolve_profile().config_hash
    (planned,) = plan_run(resolve_profile(), [NAME]).components
    assert planned.component.parameters["model"] == chosen
    assert (planned.missing_dependency is None) == bool(cached)


def test_c11_nothing_is_settled_for_a_component_that_is_off(tmp_path: Path) -> None:
    profile = resolve_profile(settings={f"components.{NAME}.enabled": False})
    assert plan_run(profile).profile == profile


def test_c6_without_weights_both_commands_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    component = get_component_class(NAME)(get_default_parameters(NAME))
    sentence = component.find_missing_dependency()
    assert sentence is not None
    assert "Run: filmcan models pull yolox_tiny" in sentence
    assert sentence.endswith(f"filmcan models pull {SSD}")
    named = get_component_class(NAME)({**get_default_parameters(NAME), "model": SSD})
    sentence = named.find_missing_dependency()
    assert sentence is not None
    assert sentence.endswith(f"Run: filmcan models pull {SSD}")
    assert "yolox" not in sentence


def test_a_model_that_is_not_in_the_catalog_is_named() -> None:
    component = get_component_class(NAME)({**get_default_parameters(NAME), "model": "yolox_tini"})
    with pytest.raises(NotFoundError, match="yolox_tini"):
        component.find_missing_dependency()


@pytest.mark.parametrize(
    ("name", "value"),
    [("model", ""), ("yolox_min_score", 0.0), ("ssd_nms_iou", 1.5), ("max_objects", 0)],
)
def test_a_wrong_parameter_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(BadProfileError, match=name):
        get_component_class(NAME)({**get_default_parameters(NAME), name: value})


def test_an_asset_of_other_files_is_refused(make_model: MakeModel) -> None:
    make_model({"words.txt": b"nothing"})
    component = get_component_class(NAME)({**get_default_parameters(NAME), "model": "fixture-own"})
    with pytest.raises(AssetError, match=r"got words\.txt"):
        component.run(play(make_frame(0)))


def process(source: Path, folder: Path, model: str) -> Run:
    run = process_video(
        source, store=folder / "store", only=[NAME], settings={f"components.{NAME}.model": model}
    )
    assert run.components[NAME].status == "ok", run.components[NAME].error
    verdict = validate_target(str(folder / "store" / run.path))
    assert verdict.report.ok, list(verdict.report.errors)
    return run


def test_c8_a_whole_run_with_a_made_yolox_says_what_it_used(
    make_model: MakeModel, clip: Path, tmp_path: Path
) -> None:
    make_model({"yolox_made.onnx": build_yolox(FOUND)})
    run = process(clip, tmp_path, "fixture-own")
    meta = run[NAME].meta
    assert meta["score_threshold"] == 0.3
    assert [row["model_name"] for row in run.components[NAME].models_used] == ["fixture-own"]
    assert str(run.components[NAME].notes).startswith("LABELS: 80 classes of COCO")
    manifest = run.manifest.run
    assert manifest.profile is not None
    assert manifest.profile["components"][NAME]["model"] == "fixture-own"


@pytest.mark.registry
def test_bottles_are_found_on_a_table(
    model_cache: Callable[[str], Weights], media_corpus: Path, tmp_path: Path
) -> None:
    """The clip shows three bottles; a hand comes in. Two or three are found in most frames."""
    model_cache(SSD)
    found = process(media_corpus / "video" / "bottles.mp4", tmp_path, SSD)[NAME]
    bottle = found["class_names"].tolist().index("Bottle")
    counts = (found["class_ids"] == bottle).sum(axis=1)
    assert counts.max() <= 3
    assert (counts >= 1).mean() > 0.9
