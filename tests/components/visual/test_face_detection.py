"""The parts of face detection that need no weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmcan.components.visual.core_face_landmarks.anchors import build_anchors
from filmcan.components.visual.core_face_landmarks.detector import (
    FORMS,
    FaceDetection,
    FaceDetector,
    decode_detections,
)
from filmcan.components.visual.core_face_landmarks.landmark_regions import (
    surround_detection,
    surround_eye,
    surround_landmarks,
)
from filmcan.components.visual.core_face_landmarks.weighted_nms import merge_overlapping


@pytest.mark.parametrize(("name", "rows"), [("short_range", 896), ("full_range", 2304)])
def test_each_detector_has_an_anchor_for_each_row(name: str, rows: int) -> None:
    anchors = build_anchors(FORMS[name].grids)
    assert anchors.shape == (rows, 2)
    np.testing.assert_allclose(anchors.mean(axis=0), 0.5)


def test_anchors_go_row_by_row_x_fastest_copies_adjacent() -> None:
    anchors = build_anchors(((16, 2), (8, 6)))
    np.testing.assert_allclose(anchors[:3] * 16, [[0.5, 0.5], [0.5, 0.5], [1.5, 0.5]])
    np.testing.assert_allclose(anchors[32] * 16, [0.5, 1.5])
    np.testing.assert_allclose(anchors[512:518] * 8, [[0.5, 0.5]] * 6)
    np.testing.assert_allclose(anchors[-1] * 8, [7.5, 7.5])


def encode(box: tuple[float, ...], anchor: np.ndarray, size: int) -> np.ndarray:
    """Return the row that says: a face at centre x y, width, height (fractions), key points too."""
    x, y, width, height = box
    points = [(x - anchor[0]) * size, (y - anchor[1]) * size] * 6
    return np.array([*points[:2], width * size, height * size, *points], np.float32)


@given(
    st.floats(-0.2, 1.2),
    st.floats(-0.2, 1.2),
    st.floats(0.0, 1.5),
    st.floats(0.0, 1.5),
    st.integers(0, 895),
)
def test_a_row_decodes_to_the_box_it_was_made_from(
    x: float, y: float, width: float, height: float, row: int
) -> None:
    anchors = build_anchors(FORMS["short_range"].grids)
    raw, logits = np.zeros((896, 16), np.float32), np.full(896, -100.0, np.float32)
    raw[row], logits[row] = encode((x, y, width, height), anchors[row], 128), 2.0
    places, scores = decode_detections(raw, logits, anchors, size=128, min_score=0.5)
    corners = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    np.testing.assert_allclose(places, [[*corners, *[x, y] * 6]], atol=1e-5)
    assert scores == pytest.approx(1 / (1 + math.exp(-2)))


def test_huge_logits_and_inverted_boxes_raise_no_warning_and_count_for_nothing() -> None:
    anchors = build_anchors(((2, 1),))
    raw = np.zeros((4, 16), np.float32)
    raw[:, 2:4] = [[1, 1], [-1, 1], [1, -1], [1, 1]]
    logits = np.array([1e30, 5.0, 5.0, -1e30], np.float32)
    places, scores = decode_detections(raw, logits, anchors, size=128, min_score=0.5)
    assert (len(places), scores.tolist()) == (1, [1.0])
    for least in (0.01, 1.0):
        assert len(decode_detections(raw, logits, anchors, size=128, min_score=least)[1]) == 1


def test_a_group_becomes_its_weighted_mean_with_the_best_ones_score() -> None:
    places = np.array([[0, 0, 10, 10, 5], [1, 0, 11, 10, 6], [40, 40, 50, 50, 45]], float)
    merged, scores = merge_overlapping(places, np.array([0.6, 0.9, 0.7]), 0.3)
    assert scores.tolist() == [0.9, 0.7]
    np.testing.assert_allclose(merged[0], [0.6, 0, 10.6, 10, 5.6])
    np.testing.assert_allclose(merged[1], places[2])


def test_groups_gather_around_the_best_box_alone_and_the_threshold_is_strict() -> None:
    """A chain a-b-c: b is best and takes both; when a is best, c stays alone."""
    chain = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], float)
    assert len(merge_overlapping(chain, np.array([0.6, 0.9, 0.7]), 0.3)[1]) == 1
    assert merge_overlapping(chain, np.array([0.9, 0.8, 0.7]), 0.3)[1].tolist() == [0.9, 0.7]
    halves = np.array([[0, 0, 2, 1], [1, 0, 3, 1]], float)  # a third in common
    assert len(merge_overlapping(halves, np.array([0.9, 0.8]), 1 / 3)[1]) == 2


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=20), st.floats(0, 0.9))
def test_merging_ends_and_leaves_scores_in_falling_order(
    rows: list[tuple[float, ...]], threshold: float
) -> None:
    places = np.array(rows, float).reshape(-1, 4)  # crossed corners and no area included
    given_scores = np.linspace(0.5, 1.0, len(rows))
    merged, scores = merge_overlapping(places, given_scores, threshold)
    assert merged.shape == (len(scores), 4)
    assert len(scores) <= len(rows)
    assert (np.diff(scores) <= 0).all()
    assert set(scores) <= set(given_scores)


class FakeDetection:
    """A detector's network that keeps what it was given and finds one face at its middle."""

    def __init__(self) -> None:
        self.given = np.zeros(0)

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        (self.given,) = (array.copy() for array in feeds.values())
        anchors = build_anchors(FORMS["full_range"].grids)
        raw, logits = np.zeros((1, 2304, 16), np.float32), np.full((1, 2304, 1), -9, np.float32)
        raw[0, 1176], logits[0, 1176, 0] = encode((0.5, 0.5, 0.25, 0.25), anchors[1176], 192), 3.0
        return {"Identity": raw, "Identity_1": logits}


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (641, 357)])
def test_a_detection_comes_back_to_the_pixels_of_any_frame(size: tuple[int, int]) -> None:
    width, height = size
    network = FakeDetection()
    detector = FaceDetector(network, FORMS["full_range"], 0.6)  # type: ignore[arg-type]
    picture = np.zeros((height, width, 3), np.uint8)
    picture[...] = (255, 0, 51)
    (face,) = detector.detect(picture)
    side = max(size)
    low = np.array([width, height]) / 2 - side / 8
    np.testing.assert_allclose(face.box, [*low, *(low + side / 4)], atol=1e-3)
    np.testing.assert_allclose(face.key_points[0], [width / 2, height / 2], atol=1e-3)
    assert network.given[0, 96, 96] == pytest.approx([1.0, -1.0, 51 / 127.5 - 1])  # RGB, -1..1
    if width != height:
        assert network.given[0, 0, 0] == pytest.approx([-1.0] * 3)  # beyond the frame: black


def make_detection(angle: float = 0.0) -> FaceDetection:
    right, left = (100.0, 100.0), (100 + 40 * math.cos(angle), 100 + 40 * math.sin(angle))
    points = np.array([right, left, *[(0.0, 0.0)] * 4])
    return FaceDetection(np.array([80.0, 90.0, 160.0, 150.0]), points, 0.9)


@pytest.mark.parametrize("angle", [0.0, 0.5, -2.0, 3.0])
def test_the_region_of_a_face_is_half_as_wide_again_and_turned_with_the_eyes(angle: float) -> None:
    region = surround_detection(make_detection(angle))
    assert (region.center_x, region.center_y) == (120.0, 120.0)
    assert region.width == region.height == 120.0
    assert region.rotation_rad == pytest.approx(angle)


def test_the_region_of_a_known_face_spans_all_its_points() -> None:
    points = np.zeros((468, 3))
    points[:, :2] = np.random.default_rng(0).uniform((100, 200), (150, 280), (468, 2))
    points[0, :2], points[1, :2] = (100, 200), (150, 280)
    points[33, :2], points[263, :2] = (110, 230), (140, 230)
    region = surround_landmarks(points)
    assert (region.center_x, region.center_y, region.width) == (125, 240, 120)
    assert region.rotation_rad == pytest.approx(0.0)


def test_the_region_of_an_eye_is_2_3_times_its_width() -> None:
    region = surround_eye(np.array([10.0, 20.0, 5.0]), np.array([40.0, 20.0, 5.0]))
    assert (region.center_x, region.center_y) == (25.0, 20.0)
    assert region.width == region.height == pytest.approx(69.0)
    assert region.rotation_rad == pytest.approx(0.0)
