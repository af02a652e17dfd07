"""Which faces count and which are followed, with networks that say what they are told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from filmcan.components.visual.core_face_landmarks.detector import FaceDetection
from filmcan.components.visual.core_face_landmarks.face_arrays import FaceArrays
from filmcan.components.visual.core_face_landmarks.face_finder import (
    Face,
    FaceFinder,
    FinderSettings,
)
from filmcan.components.visual.resampling import Region

PICTURE = np.zeros((200, 400, 3), np.uint8)


class FakeNetworks:
    """A world of faces 40 px wide: the mesh sees all of them, the detector only some."""

    def __init__(self) -> None:
        self.faces: Sequence[tuple[float, float]] = ()
        self.detected: Sequence[tuple[float, float, float]] = ()
        self.searched: list[Region] = []

    def detect(self, picture: np.ndarray) -> list[FaceDetection]:
        eyes = np.array([(-10, -5), (10, -5), *[(0, 0)] * 4])
        return [
            FaceDetection(
                np.array([x - 20, y - 20, x + 20, y + 20]), eyes + np.array([x, y]), score
            )
            for x, y, score in self.detected
        ]

    def fit(self, picture: np.ndarray, region: object) -> object:
        if not isinstance(region, Region):
            return np.zeros((10, 3))  # the irises
        self.searched.append(region)
        near = [
            (x, y)
            for x, y in self.faces
            if max(abs(x - region.center_x), abs(y - region.center_y)) < region.width / 2
        ]
        x, y = near[0] if near else (region.center_x, region.center_y)
        points = np.zeros((468, 3))
        points[:, :2] = np.random.default_rng(0).uniform(-16, 16, (468, 2)) + np.array([x, y])
        points[0, :2], points[1, :2] = (x - 16, y - 16), (x + 16, y + 16)
        return points, 0.99 if near else 0.001


@pytest.fixture
def world() -> FakeNetworks:
    return FakeNetworks()


def make_finder(world: FakeNetworks, **changes: float) -> FaceFinder:
    settings = {
        "max_faces": 10,
        "min_presence": 0.5,
        "min_denied_score": 0.8,
        "max_follow_sec": 0.6,
        **changes,
    }
    return FaceFinder(world, world, world, FinderSettings(**settings))  # type: ignore[arg-type]


def test_detected_faces_come_best_first_with_their_landmarks(world: FakeNetworks) -> None:
    world.faces, world.detected = [(60, 60), (200, 80)], [(60, 60, 0.9), (200, 80, 0.7)]
    faces = make_finder(world).find(PICTURE, 0.0)
    assert [face.score for face in faces] == [0.9, 0.7]
    assert all(face.points is not None and face.points.shape == (478, 3) for face in faces)


def test_c6_a_detection_that_the_mesh_denies_counts_only_when_the_detector_is_sure(
    world: FakeNetworks,
) -> None:
    world.detected = [(60, 60, 0.85), (200, 80, 0.79)]
    (face,) = make_finder(world).find(PICTURE, 0.0)
    assert (face.score, face.points) == (0.85, None)
    assert face.presence == pytest.approx(0.001)


def test_a_face_the_detector_loses_is_followed_as_far_as_it_went(world: FakeNetworks) -> None:
    finder = make_finder(world)
    world.faces, world.detected = [(60, 60)], [(60, 60, 0.9)]
    finder.find(PICTURE, 0.0)
    world.faces, world.detected = [(68, 63)], []
    (face,) = finder.find(PICTURE, 0.5)
    assert face.score is None
    np.testing.assert_allclose(face.box, [48, 43, 88, 83])
    world.faces = [(76, 66)]
    (face,) = finder.find(PICTURE, 1.0)  # followed once more from where it was followed to
    np.testing.assert_allclose(face.box, [56, 46, 96, 86])


def test_a_face_that_left_is_not_made_up(world: FakeNetworks) -> None:
    finder = make_finder(world)
    world.faces, world.detected = [(60, 60)], [(60, 60, 0.9)]
    finder.find(PICTURE, 0.0)
    world.faces, world.detected = [], []
    assert finder.find(PICTURE, 0.5) == []
    world.faces = [(60, 60)]
    assert finder.find(PICTURE, 1.0) == []  # and it is forgotten


@pytest.mark.parametrize(("gap_sec", "limit_sec"), [(0.7, 0.6), (0.04, 0.0)])
def test_a_face_is_not_followed_over_too_long_a_gap(
    world: FakeNetworks, gap_sec: float, limit_sec: float
) -> None:
    finder = make_finder(world, max_follow_sec=limit_sec)
    world.faces, world.detected = [(60, 60)], [(60, 60, 0.9)]
    finder.find(PICTURE, 0.0)
    world.detected = []
    assert finder.find(PICTURE, gap_sec) == []


def test_a_face_that_is_detected_again_is_not_counted_twice(world: FakeNetworks) -> None:
    finder = make_finder(world)
    world.faces, world.detected = [(60, 60)], [(60, 60, 0.9)]
    finder.find(PICTURE, 0.0)
    world.faces, world.detected = [(85, 60)], [(85, 60, 0.9)]  # too far to be the same box
    assert len(finder.find(PICTURE, 0.5)) == 1
    assert len(world.searched) == 3  # it was looked for at its old place, and found to be this one


def test_no_more_faces_than_wanted(world: FakeNetworks) -> None:
    world.faces = [(40 + 80 * n, 60) for n in range(4)]
    world.detected = [(x, y, 0.9 - 0.01 * n) for n, (x, y) in enumerate(world.faces)]
    finder = make_finder(world, max_faces=2)
    assert [face.score for face in finder.find(PICTURE, 0.0)] == [0.9, 0.89]
    world.detected = [(280, 60, 0.7), (200, 60, 0.65)]
    assert [face.score for face in finder.find(PICTURE, 0.5)] == [0.7, 0.65]


def test_c6_arrays_are_fractions_of_the_frame_and_missing_where_a_mask_says_so() -> None:
    points = np.tile([200.0, 50.0, -40.0], (478, 1))
    detected = Face(np.array([-40.0, 20.0, 120.0, 220.0]), 0.9, 0.99, points)
    denied = Face(np.array([0.0, 0.0, 40.0, 20.0]), 0.85, 0.1, None)
    followed = Face(np.array([0.0, 0.0, 40.0, 20.0]), None, 0.7, points)
    arrays = FaceArrays()
    arrays.add([detected, denied], (400, 200))
    arrays.add([], (1, 1))
    arrays.add([followed], (400, 200))
    built = arrays.build()
    assert arrays.followed == 1
    assert built["face_present"].tolist() == [[True, True], [False, False], [True, False]]
    assert built["landmarks_present"].tolist() == [[True, False], [False, False], [True, False]]
    assert built["face_scores_present"].tolist() == [[True, True], [False, False], [False, False]]
    np.testing.assert_allclose(built["face_boxes"][0, 0], [-0.1, 0.1, 0.3, 1.1], rtol=1e-6)
    np.testing.assert_allclose(built["landmarks"][0, 0, 477], [0.5, 0.25, -0.1], rtol=1e-6)
    for key, mask in (
        ("face_boxes", "face_present"),
        ("face_scores", "face_scores_present"),
        ("landmarks", "landmarks_present"),
        ("landmarks_scores", "face_present"),
    ):
        assert np.array_equal(np.isnan(built[key]).reshape(3, 2, -1).all(axis=2), ~built[mask]), key
