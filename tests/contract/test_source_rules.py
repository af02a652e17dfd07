"""C6, C8: samples and times exist in the source that the manifest describes."""

from __future__ import annotations

import numpy as np
import pytest

from filmcan.contract.source_rules import find_length_sec, validate_samples

SOURCE: dict[str, object] = {
    "duration_sec": 10.0,
    "decoded_frames": 249,
    "failed_frames": 1,
    "decoded_samples": 480_000,
    "video_stream": {"average_rate_hz": 25.0},
    "audio_stream": {"rate_hz": 48_000},
}


def found(
    arrays: dict[str, np.ndarray], kind: str = "core", **changes: object
) -> list[tuple[str, str]]:
    issues = validate_samples(arrays, {**SOURCE, **changes}, kind=kind)
    return [(issue.code, issue.key) for issue in issues]


@pytest.mark.parametrize(
    "name", ["times_sec", "windowed_times_sec", "start_sec", "segment_end_sec"]
)
@pytest.mark.parametrize(
    ("kind", "time_sec", "good"),
    [
        ("core", 0.0, True),
        ("core", 10.0, True),
        ("core", 10.99, True),
        ("core", 11.01, False),
        ("core", -0.99, True),
        ("core", -1.01, False),
        ("module", -1.01, False),
        ("audio", -1.01, True),
        ("audio", -10.99, True),
        ("audio", -11.01, False),
        ("audio", 11.01, False),
        ("text", 99.0, True),
        ("", 99.0, True),
    ],
)
def test_c8_times_lie_inside_the_source(name: str, kind: str, time_sec: float, good: bool) -> None:
    arrays = {name: np.float32([0.5, time_sec])}
    assert found(arrays, kind) == ([] if good else [("outside_source", name)])


def test_c8_a_long_source_is_given_one_percent() -> None:
    arrays = {"times_sec": np.float32([1005])}
    assert found(arrays, duration_sec=1000.0) == []
    assert found({"times_sec": np.float32([1011])}, duration_sec=1000.0) != []


def test_c8_only_time_axes_are_judged_as_times() -> None:
    arrays = {
        "dt_sec": np.float32([99]),
        "times_sec": np.float32([np.nan]),
        "other_times_sec": np.int32([99]),
        "window_times_sec": np.float32([[99]]),
    }
    assert found(arrays) == []


HUGE = 10**400


@pytest.mark.parametrize(
    "changes",
    [
        {"duration_sec": HUGE},
        {"decoded_frames": HUGE},
        {"failed_frames": HUGE},
        {"frame_count": HUGE},
        {"decoded_samples": HUGE},
        {"video_stream": {"average_rate_hz": HUGE}},
        {"audio_stream": {"rate_hz": HUGE}},
        {"duration_sec": float("nan")},
    ],
)
def test_c8_a_number_that_no_source_has_is_not_gone_by(changes: dict[str, object]) -> None:
    arrays = {
        "frame_indices": np.int32([0, 1]),
        "frame_present": np.array([True, True]),
        "times_sec": np.float32([0, 1]),
    }
    assert found(arrays, **changes) == []


@pytest.mark.parametrize("declared", [None, "long", True, -1.0])
def test_c8_without_a_recorded_duration_times_are_not_judged(declared: object) -> None:
    assert find_length_sec({**SOURCE, "duration_sec": declared}) is None
    assert found({"times_sec": np.float32([999])}, duration_sec=declared) == []


@pytest.mark.parametrize(
    ("changes", "length_sec"),
    [
        ({}, 10.0),
        ({"decoded_frames": 500}, 20.0),
        ({"decoded_samples": 48_000 * 30}, 30.0),
        ({"decoded_frames": 500, "video_stream": None}, 10.0),
        ({"decoded_frames": 500, "video_stream": {"average_rate_hz": None}}, 10.0),
        ({"decoded_frames": 500, "video_stream": {"average_rate_hz": 0.0}}, 10.0),
        ({"decoded_frames": None, "decoded_samples": None}, 10.0),
    ],
)
def test_a_source_is_as_long_as_declared_or_as_decoded_whichever_is_more(
    changes: dict[str, object], length_sec: float
) -> None:
    assert find_length_sec({**SOURCE, **changes}) == length_sec


def test_c8_a_frame_beyond_those_of_the_source_is_found() -> None:
    assert found({"frame_indices": np.int32([0, 249])}) == []
    assert found({"frame_indices": np.int32([0, 250])}) == [("outside_source", "frame_indices")]


def test_c8_more_frames_present_than_decoded_are_found() -> None:
    indices = np.arange(250, dtype=np.int32)
    present = np.ones(250, bool)
    assert found({"frame_indices": indices, "frame_present": present}) == [
        ("outside_source", "frame_present")
    ]
    present[7] = False
    assert found({"frame_indices": indices, "frame_present": present}) == []
    assert found({"frame_indices": indices, "frame_present": np.ones(250)}) == []


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"frame_indices": np.zeros(0, np.int32)},
        {"frame_indices": np.float32([999])},
    ],
)
def test_c8_without_frame_numbers_there_is_nothing_to_judge(arrays: dict[str, np.ndarray]) -> None:
    assert found(arrays) == []


def test_c8_frames_that_were_passed_over_can_be_sampled_but_not_present() -> None:
    """What a run did not decode has a number all the same; a picture it cannot have."""
    seen = {"frame_indices": np.int32([0, 999]), "frame_present": np.array([True, True])}
    assert found(seen, frame_count=1000) == []
    assert found(seen, frame_count=999) == [("outside_source", "frame_indices")]
    assert found(seen, frame_count=1000, decoded_frames=1) == [("outside_source", "frame_present")]
    assert found(seen, frame_count=1) == [("outside_source", "frame_indices")]


@pytest.mark.parametrize("kind", ["core", "text", ""])
def test_c8_frames_and_times_of_a_part_are_held_to_the_source_whatever_the_kind(kind: str) -> None:
    arrays = {
        "ocr_frame_indices": np.int32([0, 10**8]),
        "ocr_frame_present": np.ones(300, bool),
        "ocr_times_sec": np.float32([0, 1e7]),
        "ocr_line_end_sec": np.float32([1, 12]),
    }
    assert found(arrays, kind) == [
        ("outside_source", "ocr_frame_indices"),
        ("outside_source", "ocr_frame_present"),
        ("outside_source", "ocr_times_sec"),
        ("outside_source", "ocr_line_end_sec"),
    ]
    beside = {"frame_indices": np.int32([0]), "transcript_chunk_start_sec": np.float32([99])}
    assert found(beside, "text") == []


def test_c8_times_outside_are_counted_through_a_large_array() -> None:
    times = np.full(600_000, 5, np.float32)
    times[[3, 299_999, 599_999]] = [77, -5, np.inf]
    (issue,) = validate_samples({"times_sec": times}, SOURCE, kind="core")
    assert issue.message == "2 times lie outside the source, which has 10 s: the first is 77"


@pytest.mark.parametrize("field", ["decoded_frames", "failed_frames"])
def test_c8_without_recorded_counts_frames_are_not_judged(field: str) -> None:
    assert found({"frame_indices": np.int32([999])}, **{field: None}) == []
