from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from filmcan.components.base import Inputs, Result
from filmcan.components.catalog import get_component_class
from filmcan.errors import BadProfileError
from filmcan.models.cache import CACHE_VARIABLE
from filmcan.models.execution import Execution
from filmcan.models.weights import Weights
from filmcan.testing.component_suite import (
    Cases,
    ComponentSuite,
    assert_same_arrays,
    check_result,
    get_default_parameters,
    get_features,
)
from filmcan.testing.fake_frames import build_fake_frames
from filmcan.testing.fake_media import build_inputs

NAME = "core_face_landmarks"


def read_picture(path: Path) -> np.ndarray:
    """uint8[h, w, 3], RGB."""
    picture = cv2.imread(str(path))
    assert picture is not None, path
    return np.ascontiguousarray(picture[:, :, ::-1])


def play(*pictures: np.ndarray | None, rate_hz: float = 2.0) -> Inputs:
    return build_inputs(frames=build_fake_frames(pictures, rate_hz=rate_hz))


def make_noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)


@pytest.mark.registry
class TestCoreFaceLandmarks(ComponentSuite):
    component_name: ClassVar[str] = NAME

    astronaut: np.ndarray
    two_people: np.ndarray

    @pytest.fixture(autouse=True)
    def _prepare(self, model_cache: Callable[[str], Weights], media_corpus: Path) -> None:
        model_cache("mediapipe_face")
        self.astronaut = read_picture(media_corpus / "image" / "astronaut.png")
        self.two_people = read_picture(media_corpus / "image" / "two_people.jpg")

    def make_cases(self) -> Cases:
        upright = np.ascontiguousarray(self.astronaut[:400, 60:361])
        return {
            "typical": lambda: play(self.astronaut, self.astronaut),
            "one frame": lambda: play(self.astronaut),
            "no face": lambda: play(make_noise(160, 90), make_noise(160, 90)),
            "two faces": lambda: play(self.two_people),
            "one lost frame": lambda: play(self.astronaut, None, self.astronaut),
            "a face in one frame of two": lambda: play(np.zeros_like(self.astronaut), upright),
            "odd and upright": lambda: play(upright),
            "a single pixel": lambda: play(np.zeros((1, 1, 3), np.uint8)),
        }

    def run_with(self, inputs: Inputs, **changes: object) -> Result:
        result = self.build_component(**changes).run(inputs)
        check_result(result, self.schema, str(changes))
        return result

    def test_c6_a_video_without_faces_is_empty_but_its_frames_are_measured(self) -> None:
        result = self.run_with(play(make_noise(160, 90), None, make_noise(160, 90)))
        assert (result.status, result.empty_reason) == ("empty", "no_faces_in_video")
        assert result.arrays["frame_present"].tolist() == [True, False, True]
        assert result.arrays["face_present"].shape == (3, 0)
        assert not result.arrays["has_any_face"]
        assert result.arrays["faces_empty_reason"] == "no_faces_in_video"
        features = get_features(result)
        assert (features["face_frame_count"], features["face_count_max"]) == (2.0, 0.0)
        assert np.isnan(features["face_score_mean"])

    def test_c6_frames_that_all_failed_are_no_missing_faces(self) -> None:
        result = self.run_with(play(None, None))
        assert (result.status, result.empty_reason) == ("empty", "video_stream_missing")

    def test_c6_a_face_whose_landmarks_failed_stays_a_face(self) -> None:
        result = self.run_with(play(self.astronaut), min_presence=1.0)
        assert result.status == "ok"
        assert result.arrays["face_present"].tolist() == [[True]]
        assert result.arrays["landmarks_present"].tolist() == [[False]]
        assert np.isnan(result.arrays["landmarks"]).all()
        assert get_features(result)["landmarks_share"] == 0.0

    def test_the_features_are_those_of_the_arrays(self) -> None:
        nothing = np.zeros_like(self.astronaut)
        result = self.run_with(play(self.astronaut, nothing, None, self.astronaut))
        features, arrays = get_features(result), result.arrays
        assert features["face_frame_count"] == 3.0
        assert features["face_frame_share"] == features["face_count_mean"] == pytest.approx(2 / 3)
        assert features["face_count_std"] == pytest.approx(np.std([1, 0, 1]))
        assert features["face_score_mean"] == pytest.approx(np.nanmean(arrays["face_scores"]))
        x1, y1, x2, y2 = arrays["face_boxes"][0, 0].tolist()
        assert features["face_area_mean"] == pytest.approx((x2 - x1) * (y2 - y1), rel=1e-5)
        assert features["largest_face_area_max"] == pytest.approx(features["face_area_mean"])
        assert features["landmarks_share"] == 1.0

    def test_two_faces_keep_their_places_in_falling_order_of_the_score(self) -> None:
        result = self.run_with(play(self.two_people))
        scores = result.arrays["face_scores"][0]
        assert result.arrays["face_present"].tolist() == [[True, True]]
        assert scores[0] > scores[1]
        assert self.run_with(play(self.two_people), max_faces=1).arrays["face_scores"].tolist() == [
            [scores[0]]
        ]

    def test_a_face_that_fades_is_followed_and_the_notes_say_so(self) -> None:
        """Each frame is dimmer; the detector gives up before the landmark network does."""
        frames = [(self.astronaut * share).astype(np.uint8) for share in (1, 0.3, 0.1, 0.06)]
        followed = self.run_with(play(*frames), min_score=0.9)
        assert followed.arrays["face_present"][:, 0].tolist() == [True] * 4
        assert not followed.arrays["face_scores_present"][-1, 0]
        assert followed.arrays["landmarks_present"].all()
        assert "followed" in followed.notes[0]
        boxes = followed.arrays["face_boxes"][:, 0]
        assert np.abs(boxes - boxes[0]).max() < 0.02
        alone = self.run_with(play(*frames), min_score=0.9, max_follow_sec=0.0)
        assert not alone.arrays["face_present"][-1, 0]

    def test_each_frame_is_searched_afresh_whatever_came_before(self) -> None:
        alone = self.run_with(play(self.two_people)).arrays
        after = self.run_with(play(np.roll(self.two_people, 40, axis=1), self.two_people)).arrays
        assert np.array_equal(after["landmarks"][1], alone["landmarks"][0])

    def test_the_number_of_threads_changes_no_bit(self) -> None:
        one = self.build_component().run(play(self.two_people))
        inputs = build_inputs(frames=build_fake_frames([self.two_people], rate_hz=2.0))
        both = self.build_component().run(
            Inputs(inputs.probe, inputs.frames, None, None, 0, Execution(threads=2))
        )
        assert_same_arrays(one.arrays, both.arrays, "threads")

    def test_models_used_names_the_three_networks_by_digest(self) -> None:
        rows = self.run_with(play(self.astronaut)).models_used
        assert {row.model_name for row in rows} == {"mediapipe_face"}
        assert [row.weights_digest[:15] for row in rows] == [
            "sha256:2c3728e6",
            "sha256:1055cb9d",
            "sha256:d1744d2a",
        ]
        assert [row.precision for row in rows] == ["float16", "float16", "float32"]


def test_c6_without_weights_the_sentence_ends_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    component = get_component_class(NAME)(get_default_parameters(NAME))
    sentence = component.find_missing_dependency()
    assert sentence is not None
    assert sentence.endswith("Run: filmcan models pull mediapipe_face")


@pytest.mark.parametrize(
    ("name", "value"),
    [("detector", "near"), ("max_faces", 0), ("min_score", 0.0), ("max_follow_sec", -1.0)],
)
def test_a_wrong_parameter_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(BadProfileError, match=name):
        get_component_class(NAME)({**get_default_parameters(NAME), name: value})
