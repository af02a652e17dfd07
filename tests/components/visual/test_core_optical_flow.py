from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from filmcan.components.visual.core_optical_flow.component import CoreOpticalFlow
from filmcan.contract.registry import get_schema
from filmcan.errors import BadProfileError
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
from filmcan.testing.made_motion import Foreground, Motion, build_moved_pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filmcan.components.base import Result

SCHEMA = get_schema("core_optical_flow_npz_v1", "core_optical_flow")
RATE_HZ = 25.0
SIZE = (144, 256)
BLACK = np.zeros((90, 160), np.uint8)


class TestCoreOpticalFlow(ComponentSuite):
    component_name = "core_optical_flow"

    def make_cases(self) -> Cases:
        first, second = build_moved_pair(*SIZE, Motion(1.01, 0.01, (3.0, 1.0)), grain=2.0)
        cases: dict[str, list[np.ndarray | None]] = {
            "typical": [first, second, first, second],
            "black": [BLACK] * 3,
            "one frame": [first],
            "nothing decoded": [None, None, None],
            "damaged": [first, None, second, None, first, second],
            "tiny": [first[:16, :16], second[:16, :16]],
        }
        return {
            name: partial(build_inputs, frames=build_fake_frames(pictures))
            for name, pictures in cases.items()
        }


def run(pictures: Sequence[np.ndarray | None], seed: int = 0, **settings: Any) -> Result:
    """Run the component over frames held in memory, and hold its arrays to the schema."""
    parameters = get_default_parameters("core_optical_flow")
    parameters = {name: settings.pop(name, value) for name, value in parameters.items()}
    frames = build_fake_frames(pictures, **{"rate_hz": RATE_HZ, **settings})
    result = CoreOpticalFlow(parameters).run(build_inputs(frames=frames, seed=seed))
    check_result(result, SCHEMA, "made pictures")
    return result


def measure(first: np.ndarray, second: np.ndarray, **settings: Any) -> dict[str, Any]:
    """Return the values of the one pair, lengths in pixels a frame."""
    arrays = run([first, second], **settings).arrays
    assert arrays["flow_present"].tolist() == [False, True]
    to_px = first.shape[1] / RATE_HZ
    in_px = ("motion_mean", "motion_p95", "camera_translation", "camera_mean", "residual_mean")
    found = {name: arrays[f"{name}_per_sec"][1] * to_px for name in in_px}
    found["log_scale"] = arrays["camera_scale_per_sec"][1] / RATE_HZ
    found["rotation_rad"] = arrays["camera_rotation_rad_per_sec"][1] / RATE_HZ
    found["angle_rad"] = arrays["motion_angle_rad"][1]
    found["inlier_share"] = arrays["camera_inlier_share"][1]
    found["matched"] = arrays["flow_matched"][1]
    return found


MOTIONS = [
    Motion(shift_px=(0.3, -0.2)),
    Motion(shift_px=(6.0, -3.5)),
    Motion(shift_px=(-17.0, 9.0)),
    Motion(scale=1.02),
    Motion(scale=0.985, shift_px=(1.5, 0.0)),
    Motion(rotation_rad=0.02),
    Motion(scale=1.01, rotation_rad=-0.015, shift_px=(-4.2, 2.6)),
]


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("grain", [0.0, 3.0])
def test_camera_motion_equals_the_known_motion(motion: Motion, grain: float) -> None:
    found = measure(*build_moved_pair(*SIZE, motion, grain=grain))
    assert found["camera_translation"] == pytest.approx(motion.shift_px, abs=0.05)
    assert found["log_scale"] == pytest.approx(math.log(motion.scale), abs=0.0005)
    assert found["rotation_rad"] == pytest.approx(motion.rotation_rad, abs=0.0005)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("motion", MOTIONS[1:2] + MOTIONS[3:])
def test_camera_motion_survives_a_foreground_of_forty_percent(motion: Motion, seed: int) -> None:
    pair = build_moved_pair(
        *SIZE, motion, seed=seed, foreground=Foreground(share=0.4, shift_px=(5.0, -3.0))
    )
    found = measure(*pair)
    assert found["camera_translation"] == pytest.approx(motion.shift_px, abs=0.05)
    assert found["log_scale"] == pytest.approx(math.log(motion.scale), abs=0.0007)
    assert found["rotation_rad"] == pytest.approx(motion.rotation_rad, abs=0.0007)
    assert 0.4 < found["inlier_share"] < 0.7


def test_camera_motion_hardly_depends_on_the_seed() -> None:
    motion = Motion(scale=1.01, shift_px=(4.0, 1.0))
    pair = build_moved_pair(*SIZE, motion, foreground=Foreground(0.3, (-5.0, 2.0)))
    found = [measure(*pair, seed=seed)["camera_translation"] for seed in (0, 1, 2**32 - 1)]
    assert np.ptp(found, axis=0) == pytest.approx((0.0, 0.0), abs=0.01)


def test_signs_are_those_of_the_content() -> None:
    """Right, down, growing and clockwise are positive; angles run from right to down."""
    right = measure(*build_moved_pair(*SIZE, Motion(shift_px=(3.0, 0.0))))
    down = measure(*build_moved_pair(*SIZE, Motion(shift_px=(0.0, 3.0))))
    assert right["camera_translation"][0] > 2.9
    assert right["angle_rad"] == pytest.approx(0.0, abs=0.02)
    assert down["camera_translation"][1] > 2.9
    assert down["angle_rad"] == pytest.approx(math.pi / 2, abs=0.02)
    assert measure(*build_moved_pair(*SIZE, Motion(scale=1.03)))["log_scale"] > 0.029
    turned = build_moved_pair(*SIZE, Motion(rotation_rad=0.03))
    assert measure(*turned)["rotation_rad"] > 0.029
    # What stands right of the centre goes down when turned clockwise: a check without our algebra.
    patch = turned[0][62:82, 216:236]
    found = cv2.matchTemplate(turned[1], patch, cv2.TM_SQDIFF)
    _, _, (column, row), _ = cv2.minMaxLoc(found)
    assert (row - 62, column - 216) == (3, 0)


def test_mean_motion_of_a_shift_is_its_length() -> None:
    found = measure(*build_moved_pair(*SIZE, Motion(shift_px=(3.0, -4.0))))
    assert found["motion_mean"] == pytest.approx(5.0, abs=0.1)
    assert found["motion_p95"] == pytest.approx(5.0, abs=0.3)
    assert found["camera_mean"] == pytest.approx(5.0, abs=0.05)
    assert found["residual_mean"] < 0.1
    assert found["angle_rad"] == pytest.approx(math.atan2(-4.0, 3.0), abs=0.02)


def test_residual_is_what_moves_against_a_panned_background() -> None:
    """An object on a fifth of the picture, 5 px against the background, leaves a mean of 1 px."""
    pair = build_moved_pair(
        *SIZE, Motion(shift_px=(4.0, 0.0)), foreground=Foreground(0.2, (8.0, 3.0))
    )
    found = measure(*pair)
    assert found["camera_translation"] == pytest.approx((4.0, 0.0), abs=0.05)
    assert found["residual_mean"] == pytest.approx(0.2 * 5.0, rel=0.2)


@pytest.mark.parametrize("plain", [None, 90.0])
@pytest.mark.parametrize("grain", [0.0, 3.0])
def test_an_object_does_not_move_a_static_camera(plain: float | None, grain: float) -> None:
    """The plain wall is the hard case: dense search alone lets the object take it along."""
    pair = build_moved_pair(
        *SIZE, Motion(), foreground=Foreground(0.15, (6.0, -2.0)), plain=plain, grain=grain
    )
    found = measure(*pair)
    assert found["camera_translation"] == pytest.approx((0.0, 0.0), abs=0.05)
    assert found["log_scale"] == pytest.approx(0.0, abs=0.0005)
    assert 0.1 * math.hypot(6, 2) < found["residual_mean"] < 0.35 * math.hypot(6, 2)


def test_a_pan_below_a_plain_sky_is_a_pan() -> None:
    first, second = build_moved_pair(*SIZE, Motion(shift_px=(-5.0, 0.0)))
    first[:72], second[:72] = 200, 200
    found = measure(first, second)
    assert found["camera_translation"] == pytest.approx((-5.0, 0.0), abs=0.05)
    assert found["motion_mean"] == pytest.approx(5.0, abs=0.3)


@pytest.mark.parametrize("luma", [0, 16, 128, 255])
def test_plain_frames_are_measured_as_being_at_rest(luma: int) -> None:
    picture = np.full((90, 160), luma, np.uint8)
    result = run([picture] * 4)
    assert result.status == "ok"
    arrays = result.arrays
    assert arrays["flow_present"].tolist() == [False, True, True, True]
    for name in ("motion_mean_per_sec", "camera_scale_per_sec", "camera_translation_per_sec"):
        assert (arrays[name][1:] == 0.0).all()
    assert np.isnan(arrays["motion_angle_rad"]).all()
    found = get_features(result)
    assert found["still_share"] == 1.0
    assert math.isnan(found["camera_motion_share"])
    assert math.isnan(found["net_motion_angle_rad"])


def test_speeds_are_per_second() -> None:
    pair = build_moved_pair(*SIZE, Motion(scale=1.01, shift_px=(3.0, 0.0)))
    fast, slow = run(pair, rate_hz=50.0).arrays, run(pair, rate_hz=10.0).arrays
    assert fast["dt_sec"][1] == pytest.approx(0.02)
    for name in ("motion_mean_per_sec", "camera_scale_per_sec", "residual_mean_per_sec"):
        assert fast[name][1] == pytest.approx(5.0 * slow[name][1], rel=1e-5)
    assert fast["match_error"][1] == slow["match_error"][1]


def test_vertical_motion_is_in_frame_widths_whatever_the_rounding() -> None:
    """A frame of 1000x68 is analysed at 256x17 (17.4): three of 17 rows are 3 / 17 x 68 px."""
    pair = build_moved_pair(17, 256, Motion(shift_px=(0.0, 3.0)))
    arrays = run(pair, display_size=(1000, 68)).arrays
    found = arrays["camera_translation_per_sec"][1] / RATE_HZ
    assert found == pytest.approx((0.0, 3 / 17 * 68 / 1000), abs=0.0001)


def test_a_cut_is_not_matched_and_stays_out_of_the_get_features() -> None:
    still, panned = build_moved_pair(*SIZE, Motion(shift_px=(2.0, 0.0)))
    other, _ = build_moved_pair(*SIZE, Motion(), seed=7)
    result = run([still, panned, other, other])
    assert result.arrays["flow_matched"].tolist() == [False, True, False, True]
    assert result.arrays["flow_present"].tolist() == [False, True, True, True]
    found = get_features(result)
    assert found["unmatched_share"] == pytest.approx(1 / 3)
    assert found["flow_pair_count"] == 3.0
    assert found["motion_mean_per_sec_max"] == pytest.approx(2.0 * RATE_HZ / 256, rel=0.05)


def test_features_of_nothing_but_cuts_are_missing() -> None:
    pictures = [build_moved_pair(*SIZE, Motion(), seed=seed)[0] for seed in range(3)]
    found = get_features(run(pictures))
    assert found["unmatched_share"] == 1.0
    rest = [value for name, value in found.items() if name not in list(found)[:2]]
    assert all(math.isnan(value) for value in rest)


def test_features_say_what_the_series_say() -> None:
    """Panning right by 2 px for three pairs, then resting for one."""
    pictures = [build_moved_pair(*SIZE, Motion(shift_px=(2.0 * n, 0.0)))[1] for n in range(4)]
    found = get_features(run([*pictures, pictures[-1]]))
    speed = 2.0 * RATE_HZ / 256
    assert found["camera_pan_per_sec_mean"] == pytest.approx(0.75 * speed, rel=0.02)
    assert found["camera_tilt_per_sec_mean"] == pytest.approx(0.0, abs=0.01 * speed)
    assert found["camera_speed_per_sec_max"] == pytest.approx(speed, rel=0.02)
    assert found["camera_unsteadiness_per_sec"] == pytest.approx(speed * 0.75**0.5 / 2, rel=0.05)
    assert found["camera_still_share"] == found["still_share"] == 0.25
    assert found["motion_coherence"] == pytest.approx(1.0, abs=0.02)
    assert found["camera_motion_share"] > 0.95
    assert found["net_motion_angle_rad"] == pytest.approx(0.0, abs=0.02)


def test_one_pair_has_no_spread() -> None:
    found = get_features(run(build_moved_pair(*SIZE, Motion(shift_px=(2.0, 0.0)))))
    assert found["flow_pair_count"] == 1.0
    assert math.isnan(found["motion_mean_per_sec_std"])
    assert math.isnan(found["camera_unsteadiness_per_sec"])


def test_c6_what_was_not_measured_is_masked() -> None:
    """A failed frame, and the one after it, have no flow; frames and times are still listed."""
    first, second = build_moved_pair(*SIZE, Motion(shift_px=(2.0, 0.0)))
    result = run([first, second, None, first, second])
    arrays = result.arrays
    assert arrays["frame_indices"].tolist() == [0, 1, 2, 3, 4]
    assert arrays["frame_present"].tolist() == [True, True, False, True, True]
    assert arrays["flow_present"].tolist() == [False, True, False, False, True]
    assert np.isnan(arrays["camera_translation_per_sec"][[0, 2, 3]]).all()
    assert arrays["times_sec"] == pytest.approx(np.arange(5) / RATE_HZ)


def test_a_sample_is_compared_with_the_frame_decoded_before_it() -> None:
    pictures = [build_moved_pair(*SIZE, Motion(shift_px=(n * 1.5, 0.0)))[1] for n in range(6)]
    arrays = run(pictures, sampled=[0, 2, 5]).arrays
    assert arrays["frame_indices"].tolist() == [0, 2, 5]
    moved = arrays["camera_translation_per_sec"][1:, 0] * 256 / RATE_HZ
    assert moved == pytest.approx([1.5, 1.5], abs=0.05)


def test_frames_whose_times_do_not_increase_have_no_flow() -> None:
    first, second = build_moved_pair(*SIZE, Motion(shift_px=(2.0, 0.0)))
    samples = run([first, second, first, second], times_sec=[0.0, 0.04, 0.0400001, 0.08])
    assert samples.arrays["flow_present"].tolist() == [False, True, False, True]
    assert samples.notes == ("no flow for 1 pairs of frames with equal or decreasing times",)


@pytest.mark.parametrize("pictures", [[], [BLACK], [BLACK, None], [None, BLACK]])
def test_c6_fewer_than_two_frames_are_too_short(pictures: list[np.ndarray | None]) -> None:
    result = run(pictures)
    assert (result.status, result.empty_reason) == ("empty", "video_too_short")
    assert len(result.arrays["frame_indices"]) == len(pictures)
    assert result.notes


def test_c6_a_source_without_video_is_empty() -> None:
    result = CoreOpticalFlow(get_default_parameters("core_optical_flow")).run(build_inputs())
    assert (result.status, result.empty_reason) == ("empty", "video_stream_missing")


@pytest.mark.parametrize("preset", ["ultrafast", "fast", "medium"])
@pytest.mark.parametrize(
    "size", [(8, 8), (8, 64), (12, 256), (16, 16), (16, 256), (24, 256), (64, 8), (33, 181)]
)
def test_small_and_odd_sizes_are_measured(size: tuple[int, int], preset: str) -> None:
    """OpenCV's search crashes the process, or returns NaN, at several of these sizes."""
    pair = build_moved_pair(*size, Motion(shift_px=(1.0, 0.0)))
    found = measure(*pair, preset=preset)
    assert found["camera_translation"] == pytest.approx((1.0, 0.0), abs=0.3)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (7, 256), (256, 7)])
def test_frames_too_small_for_flow_say_so(size: tuple[int, int]) -> None:
    result = run([np.zeros(size, np.uint8), np.full(size, 9, np.uint8)])
    assert (result.status, result.empty_reason) == ("empty", "frame_too_small")
    assert f"{size[1]}x{size[0]} px" in result.notes[-1]


def test_frames_that_change_size_have_no_flow_between_them() -> None:
    small = build_moved_pair(72, 128, Motion(shift_px=(1.0, 0.0)))
    large = build_moved_pair(90, 160, Motion(shift_px=(1.0, 0.0)))
    result = run([*small, *large])
    assert result.arrays["flow_present"].tolist() == [False, True, False, True]
    assert result.arrays["preview_flow"].shape == (2, 36, 64, 2)


def test_previews_are_spread_evenly_over_the_measured_pairs() -> None:
    still = np.zeros((36, 64), np.uint8)
    arrays = run([still] * 40, preview_count=4).arrays
    positions = arrays["preview_indices"].astype(float)
    assert len(positions) == 4
    assert positions == pytest.approx([1, 13.67, 26.33, 39], abs=2)
    assert run([still] * 3, preview_count=4).arrays["preview_indices"].tolist() == [1, 2]
    assert run([still] * 3, preview_count=0).arrays["preview_flow"].shape[0] == 0


def test_previews_hold_velocities_in_frame_widths_per_second() -> None:
    pair = build_moved_pair(*SIZE, Motion(shift_px=(4.0, -2.0)))
    arrays = run(pair, preview_width=32).arrays
    assert arrays["preview_flow"].shape == (1, 18, 32, 2)
    middle = np.median(arrays["preview_flow"][0].reshape(-1, 2).astype(np.float64), axis=0)
    assert middle == pytest.approx(np.array([4.0, -2.0]) * RATE_HZ / 256, rel=0.02)


def test_c4_the_arrays_do_not_depend_on_the_number_of_threads() -> None:
    pair = build_moved_pair(*SIZE, Motion(1.01, 0.01, (3.0, 1.0)), grain=2.0)
    before = cv2.getNumThreads()
    found = []
    try:
        for threads in (1, 2, 4):
            cv2.setNumThreads(threads)
            found.append(run([*pair, *pair]).arrays)
    finally:
        cv2.setNumThreads(before)
    for other in found[1:]:
        assert_same_arrays(found[0], other, "threads")


def test_the_schema_lists_every_feature_in_order() -> None:
    names = list(get_features(run(build_moved_pair(*SIZE, Motion()))))
    assert names == [feature.name for feature in SCHEMA.features]


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_width", 8), ("preset", "slow"), ("preview_count", -1), ("preview_width", "64")],
)
def test_wrong_parameters_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(BadProfileError, match=name):
        CoreOpticalFlow({**get_default_parameters("core_optical_flow"), name: value})


def test_frames_are_asked_for_in_luma_with_their_predecessors() -> None:
    parameters = get_default_parameters("core_optical_flow")
    request = CoreOpticalFlow({**parameters, "max_width": 320}).frame_request()
    assert (request.view.pixels, request.view.max_width) == ("gray", 320)
    assert request.with_previous
