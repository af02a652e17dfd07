"""Lines over frames: each once, by its best reading, from its first sighting to its last."""

from __future__ import annotations

import numpy as np
import pytest

from filmcan.components.text.text_processor import seen_text
from filmcan.components.text.text_processor.ocr import Line
from filmcan.components.text.text_processor.seen_text import SeenText, read_frames
from filmcan.media.frames import FrameSample
from filmcan.testing.fake_frames import build_fake_frames

BOX = (0.1, 0.2, 0.5, 0.3)
OTHER = (0.1, 0.7, 0.5, 0.8)


def add(seen: SeenText, number: int, *lines: tuple[str, float] | Line) -> None:
    found = [line if isinstance(line, Line) else Line(*line, BOX) for line in lines]
    seen.add(FrameSample(number, number / 2, np.zeros((2, 2, 3), np.uint8)), found)


def get_texts(seen: SeenText) -> list[str]:
    return [line.best.text for line in seen.lines]


def test_a_line_that_stands_counts_once_from_first_to_last() -> None:
    seen = SeenText()
    add(seen, 0, ("Chapter one", 0.9))
    add(seen, 8, ("Chapter one", 0.8), ("The meadow", 0.9))
    add(seen, 16, ("The meadow", 0.7))
    arrays = seen.build()
    assert get_texts(seen) == ["Chapter one", "The meadow"]
    assert arrays["ocr_line_start_sec"].tolist() == [0.0, 4.0]
    assert arrays["ocr_line_end_sec"].tolist() == [4.0, 8.0]
    assert arrays["ocr_frame_line_count"].tolist() == [1, 2, 1]
    assert arrays["ocr_frame_score"].tolist() == pytest.approx([0.9, 0.85, 0.7])


def test_a_misread_line_of_the_next_frame_is_the_same_and_the_best_reading_stays() -> None:
    seen = SeenText()
    add(seen, 0, ("Big Buck Bunrny", 0.6))
    add(seen, 1, Line("Big Buck Bunny", 0.99, OTHER))
    add(seen, 2, ("B1g Buck Bunny", 0.7))
    assert get_texts(seen) == ["Big Buck Bunny"]
    assert seen.build()["ocr_line_boxes"].tolist() == [pytest.approx(OTHER)]


def test_other_lines_of_the_same_length_stay_apart() -> None:
    seen = SeenText()
    add(seen, 0, ("Monday 12:00", 0.9))
    add(seen, 1, ("Friday 09:45", 0.9))
    assert get_texts(seen) == ["Monday 12:00", "Friday 09:45"]


def test_case_and_a_long_absence_make_no_second_line() -> None:
    seen = SeenText()
    add(seen, 0, ("SUBSCRIBE", 0.9))
    add(seen, 1)
    add(seen, 2, ("Subscribe", 0.8))
    assert get_texts(seen) == ["SUBSCRIBE"]
    assert seen.build()["ocr_line_end_sec"].tolist() == [1.0]


def test_c6_a_frame_that_did_not_decode_is_no_frame_without_text() -> None:
    seen = SeenText()
    add(seen, 0)
    seen.add(FrameSample(1, 0.5, None), None)
    arrays = seen.build()
    assert arrays["ocr_frame_present"].tolist() == [True, False]
    assert arrays["ocr_frame_line_count"].tolist() == [0, -1]
    assert np.isnan(arrays["ocr_frame_score"]).all()
    assert arrays["ocr_line_boxes"].shape == (0, 4)
    assert (len(seen), seen.decoded) == (2, 1)


def test_blank_readings_are_no_lines() -> None:
    seen = SeenText()
    add(seen, 0, (" \u200b", 0.9))
    assert seen.lines == []
    assert seen.build()["ocr_frame_line_count"].tolist() == [0]


def test_lines_beyond_the_limit_are_counted_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_text, "MAX_LINES", 2)
    seen = SeenText()
    add(seen, 0, ("alpha", 0.9), ("bravo", 0.9), ("charlie", 0.9))
    add(seen, 1, ("alpha", 0.9), ("zulu", 0.9))
    assert (get_texts(seen), seen.dropped) == (["alpha", "bravo"], 2)


def test_lines_below_the_threshold_are_not_there() -> None:
    pictures = [np.full((2, 2, 3), 7, np.uint8), None]

    def read(picture: np.ndarray) -> list[Line]:
        assert picture[0, 0, 0] == 7
        return [Line("sure", 0.5, BOX), Line("unsure", 0.49, BOX)]

    seen = read_frames(build_fake_frames(pictures), read, 0.5)
    assert get_texts(seen) == ["sure"]
    assert (len(seen), seen.decoded) == (2, 1)
