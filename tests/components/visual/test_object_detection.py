"""The parts of object detection that need no weights: anchors, letterbox, decoding, choice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from filmcan.components.visual.core_object_detections import coco, ssd, yolox
from filmcan.components.visual.core_object_detections.detection import (
    Objects,
    choose_boxes,
    choose_objects,
)
from filmcan.components.visual.core_object_detections.letterbox import compute_ratio, letterbox
from filmcan.components.visual.core_object_detections.ssd_anchors import build_anchors
from filmcan.components.visual.overlap import compute_overlaps
from filmcan.contract.model_used import ModelUsed
from filmcan.errors import AssetError
from filmcan.models.onnx_network import Tensor

USED = ModelUsed("fixture-yolox", "0", "sha256:00", "none", "none", "float32", "cpu")

Box = tuple[str, float, float, float, float, float]
"""Class, score, corners x1 y1 x2 y2 in fractions of the picture."""

OBJECTS: Sequence[Box] = (
    ("person", 0.9, 0.1, 0.2, 0.4, 0.9),
    ("tie", 0.6, 0.3, 0.4, 0.4, 0.5),
    ("toothbrush", 0.5, 0.7, 0.1, 0.95, 0.35),
)


def encode(objects: Sequence[Box], size: tuple[int, int], side: int) -> np.ndarray:
    """Return float32[1, rows, 85]: what YOLOX says of these objects in a picture of that size."""
    rows = np.zeros((sum((side // stride) ** 2 for stride in (8, 16, 32)), 85), np.float32)
    ratio = min(side / size[0], side / size[1])
    for name, score, *corners in objects:
        x1, y1, x2, y2 = np.array(corners) * (size * 2) * ratio
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        cells = side // 16
        column, line = int(x // 16), int(y // 16)
        row = rows[(side // 8) ** 2 + line * cells + column]
        row[:4] = x / 16 - column, y / 16 - line, math.log((x2 - x1) / 16), math.log((y2 - y1) / 16)
        row[4], row[5 + coco.LABELS.index(name)] = 0.95, score / 0.95
    return rows[None]


class FakeNetwork:
    """A YOLOX of fixed output that keeps what it was given."""

    def __init__(self, rows: np.ndarray, side: int = 416) -> None:
        self.inputs = (Tensor("images", (1, 3, side, side), "tensor(float)"),)
        self.outputs = (Tensor("output", rows.shape, "tensor(float)"),)
        self.used = USED
        self.notes = ()
        self.rows = rows
        self.given = np.zeros(0)

    def run(self, feeds: dict[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        self.given = feeds["images"].copy()
        return dict.fromkeys(outputs, self.rows)


def make_detector(network: Any, **changes: float) -> yolox.YoloxDetector:
    settings: dict[str, Any] = {"min_score": 0.3, "nms_iou": 0.45, "max_objects": 100, **changes}
    return yolox.YoloxDetector(network, **settings)


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (641, 357), (333, 501), (64, 64)])
@pytest.mark.parametrize("side", [416, 640])
def test_objects_come_back_to_their_places_in_frames_of_any_shape(
    size: tuple[int, int], side: int
) -> None:
    network = FakeNetwork(encode(OBJECTS, size, side), side)
    found = make_detector(network).detect(np.zeros((size[1], size[0], 3), np.uint8))
    assert [coco.LABELS[index] for index in found.class_ids] == [name for name, *_ in OBJECTS]
    np.testing.assert_allclose(found.scores, [score for _, score, *_ in OBJECTS], atol=1e-6)
    np.testing.assert_allclose(found.boxes, [corners for _, _, *corners in OBJECTS], atol=1e-5)


def test_the_network_sees_blue_green_red_bytes_at_the_top_left_of_grey() -> None:
    network = FakeNetwork(encode((), (640, 360), 416))
    picture = np.zeros((360, 640, 3), np.uint8)
    picture[...] = (200, 100, 50)
    make_detector(network).detect(picture)
    assert network.given.dtype == np.float32
    assert network.given.shape == (1, 3, 416, 416)
    assert network.given[0, :, 0, 0].tolist() == [50.0, 100.0, 200.0]
    assert network.given[0, :, 233, 415].tolist() == [50.0, 100.0, 200.0]
    assert (network.given[0, :, 234:] == 114.0).all()


@given(st.integers(1, 2000), st.integers(1, 2000), st.sampled_from([416, 640]))
def test_a_letterbox_keeps_the_shape_and_fills_one_side(width: int, height: int, side: int) -> None:
    ratio = compute_ratio((width, height), side)
    assert max(width, height) * ratio == pytest.approx(side)
    square = letterbox(np.full((height, width, 3), 7, np.uint8), side)
    inside = (square == 7).all(axis=2)
    rows, columns = int(inside[:, 0].sum()), int(inside[0].sum())
    assert inside.sum() == rows * columns  # one rectangle, at the top left
    assert (rows, columns) == (max(1, int(height * ratio)), max(1, int(width * ratio)))
    assert (square[~inside] == 114).all()


def test_a_letterboxed_picture_is_the_resized_one() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (357, 641, 3), np.uint8)
    rows = int(357 * (416 / 641))
    expected = cv2.resize(picture, (416, rows), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(letterbox(picture, 416)[:rows], expected)


def test_the_grid_goes_by_level_row_by_row_x_fastest() -> None:
    grid, stride = yolox.build_grid(416)
    assert grid.shape == (3549, 2)
    assert grid[:2].tolist() == [[0, 0], [1, 0]]
    assert (grid[52].tolist(), stride[52].item()) == ([0, 1], 8)
    assert (grid[2704].tolist(), stride[2704].item()) == ([0, 0], 16)
    assert (grid[-1].tolist(), stride[-1].item()) == ([12, 12], 32)


def test_a_score_is_objectness_times_class_and_low_ones_are_dropped() -> None:
    weak = (*OBJECTS, ("dog", 0.29, 0.5, 0.5, 0.6, 0.6))
    found = make_detector(FakeNetwork(encode(weak, (100, 100), 416)))
    assert "dog" not in {
        coco.LABELS[index] for index in found.detect(np.zeros((100, 100, 3), np.uint8)).class_ids
    }


def test_boxes_are_cut_to_the_picture_and_dropped_beside_it() -> None:
    size = (640, 360)  # letterboxed to 234 rows of 416: the rest is grey
    objects = (("person", 0.9, 0.5, 0.5, 1.4, 1.2), ("dog", 0.8, 0.1, 1.2, 0.3, 1.6))
    found = make_detector(FakeNetwork(encode(objects, size, 416))).detect(
        np.zeros((360, 640, 3), np.uint8)
    )
    np.testing.assert_allclose(found.boxes, [[0.5, 0.5, 1.0, 1.0]], atol=1e-6)


def test_a_network_that_decodes_its_boxes_itself_is_refused() -> None:
    rows = encode(OBJECTS, (100, 100), 416)
    rows[0, :, 2:4] = np.exp(rows[0, :, 2:4]) * 16
    detector = make_detector(FakeNetwork(rows))
    with pytest.raises(AssetError, match="decodes its boxes itself"):
        detector.detect(np.zeros((100, 100, 3), np.uint8))


@pytest.mark.parametrize(
    ("shape", "columns", "message"),
    [
        ((1, 3, 416, 640), 85, "square input"),
        ((1, 3, None, None), 85, "square input"),
        ((1, 3, 400, 400), 85, "square input"),
        ((1, 3, 416, 416), 25, "expected output"),
    ],
)
def test_a_network_of_another_form_is_refused(
    shape: tuple[int | None, ...], columns: int, message: str
) -> None:
    network = FakeNetwork(np.zeros((1, 3549, columns), np.float32))
    network.inputs = (Tensor("images", shape, "tensor(float)"),)
    with pytest.raises(AssetError, match=message):
        make_detector(network)


def test_only_boxes_of_one_class_exclude_each_other_in_yolox() -> None:
    size = (416, 416)
    twice = (
        ("person", 0.9, 0.1, 0.1, 0.5, 0.5),
        ("person", 0.8, 0.15, 0.1, 0.55, 0.5),
        ("dog", 0.7, 0.2, 0.1, 0.6, 0.5),
    )
    found = make_detector(FakeNetwork(encode(twice, size, 416))).detect(
        np.zeros((416, 416, 3), np.uint8)
    )
    assert [coco.LABELS[index] for index in found.class_ids] == ["person", "dog"]


Boxes = arrays(np.float64, (8, 2, 2), elements=st.integers(0, 9)).map(
    lambda corners: np.sort(corners, axis=1).reshape(8, 4)
)


@given(Boxes, arrays(np.int64, 8, elements=st.integers(0, 2)), st.floats(0.05, 0.95))
def test_the_boxes_that_stay_are_best_and_apart(
    boxes: np.ndarray, groups: np.ndarray, limit: float
) -> None:
    scores = np.linspace(0.3, 1.0, 8)
    kept = choose_boxes(boxes, scores, groups, max_overlap=limit)
    assert (np.diff(scores[kept]) < 0).all()
    for place in range(8):
        rivals = [
            other
            for other in kept
            if other != place
            and groups[other] == groups[place]
            and scores[other] > scores[place]
            and compute_overlaps(boxes[other], boxes[place : place + 1])[0] > limit
        ]
        assert (place in kept) == (not rivals)


def test_all_classes_exclude_each_other_where_the_scope_says_so() -> None:
    boxes = np.array([[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.45], [0.6, 0.6, 0.9, 0.9]])
    found = Objects(boxes, np.array([0.6, 0.9, 0.7]), np.array([0, 1, 0]))
    rules = {"max_overlap": 0.5, "max_objects": 10}
    every = choose_objects(found, scope="all", **rules)  # type: ignore[arg-type]
    assert every.scores.tolist() == [0.9, 0.7]
    by_class = choose_objects(found, scope="class", **rules)  # type: ignore[arg-type]
    assert by_class.scores.tolist() == [0.9, 0.7, 0.6]
    one = choose_objects(found, scope="class", max_overlap=0.5, max_objects=1)
    assert one.class_ids.tolist() == [1]


def test_there_are_80_classes_in_the_order_of_coco() -> None:
    assert len(coco.LABELS) == len(set(coco.LABELS)) == 80
    places = {0: "person", 15: "cat", 16: "dog", 41: "cup", 66: "keyboard", 79: "toothbrush"}
    assert {place: coco.LABELS[place] for place in places} == places


def test_the_default_boxes_of_ssd_are_those_of_its_graph() -> None:
    anchors = build_anchors()
    assert anchors.shape == (1917, 4)
    first = [[0.1, 0.1], [0.2 / math.sqrt(2), 0.2 * math.sqrt(2)], [0.2 * math.sqrt(2)] * 2]
    first[2][1] = 0.2 / math.sqrt(2)
    np.testing.assert_allclose(anchors[:3, 2:], first)
    np.testing.assert_allclose(anchors[:4, :2] * 19, [*[[0.5, 0.5]] * 3, [0.5, 1.5]])
    np.testing.assert_allclose(anchors[361 * 3, 2:], [0.35, 0.35])
    np.testing.assert_allclose(anchors[-1], [0.5, 0.5, *[math.sqrt(0.95)] * 2])
    np.testing.assert_allclose(anchors[-6], [0.5, 0.5, 0.95, 0.95])


@given(st.integers(0, 1916), *[st.floats(0.01, 0.99)] * 4)
def test_an_ssd_row_decodes_to_the_box_it_was_made_from(
    row: int, y: float, x: float, height: float, width: float
) -> None:
    cy, cx, high, wide = build_anchors()[row]
    raw = [
        10 * (y - cy) / high,
        10 * (x - cx) / wide,
        5 * math.log(height / high),
        5 * math.log(width / wide),
    ]
    found = ssd.decode_boxes(np.array([raw]), build_anchors()[row : row + 1])
    corners = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    np.testing.assert_allclose(found, [corners], atol=1e-9)
