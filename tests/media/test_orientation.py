"""Turned clips and pictures come out as FFmpeg's autorotate brings them out."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from filmcan.media.frames import FrameRequest, FrameView
from filmcan.media.orientation import Orientation, build_orientation
from filmcan.media.probe import probe_source
from filmcan.testing.made_media import make_clip, make_picture
from filmcan.testing.media_reading import TEST_LIMITS, get_picture, read_media
from filmcan.testing.reference_ffmpeg import read_reference_frames

ONE = 65536
LETTER = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)

TURNS = [
    (0, False, False, "left"),
    (90, False, False, "bottom"),
    (180, False, False, None),
    (270, False, False, "top"),
    (0, True, False, None),
    (0, False, True, "left"),
    (90, True, False, "bottom"),
    (90, False, True, "top"),
]
"""Counter-clockwise turn, mirrored, flipped, and where the chroma samples, at the left in the
stored picture, lie in the upright one; FFmpeg has no word for the right."""


def paint_scene(number: int) -> np.ndarray:
    """Return a smooth picture without any symmetry: uint8[64, 96, 3]."""
    y, x = np.mgrid[0:64, 0:96]
    red = 40 + 2 * x + number
    green = 60 + 2 * y
    blue = 120 + 60 * np.sin(x / 17 + y / 29)
    return np.stack([red, green, blue], axis=2).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("turn", "mirrored", "flipped", "chroma"), TURNS)
def test_a_turned_clip_equals_ffmpegs_autorotated_output(
    tmp_path: Path, turn: int, *, mirrored: bool, flipped: bool, chroma: str | None
) -> None:
    """Luma bit for bit; colour within 1 level where FFmpeg can be told how chroma lies."""
    path = make_clip(
        tmp_path / "clip.mp4", frames=4, size=(96, 64), paint=paint_scene, rotation_deg=turn,
        mirrored=mirrored, flipped=flipped, colour_space=1, colour_range=1,
    )  # fmt: skip
    reading = read_media(
        path,
        {"luma": FrameRequest(FrameView("gray")), "colour": FrameRequest(FrameView("rgb"))},
    )
    luma, colour = reading.frames["luma"], reading.frames["colour"]
    assert luma is not None
    assert colour is not None
    upright = (64, 96) if turn in (90, 270) else (96, 64)
    reference = read_reference_frames(path, upright, "yuv420p").astype(float)
    full = np.clip(np.rint((reference - 16) * 255 / 219), 0, 255)
    assert np.array_equal([get_picture(sample) for sample in luma], full)
    scaling = (
        "in_color_matrix=bt709:flags=accurate_rnd+full_chroma_int+bilinear"
        f":in_chroma_loc={chroma or 'center'}"
    )
    expected = read_reference_frames(path, upright, "rgb24", scaling).astype(int)
    difference = np.abs(np.array([get_picture(sample) for sample in colour]) - expected)
    assert difference.max() <= (1 if chroma else 12)
    assert difference.mean() < (0.1 if chroma else 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_with_exif_orientation_comes_out_upright(tmp_path: Path, orientation: int) -> None:
    path = make_picture(tmp_path / "p.jpg", paint_scene(0))
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + tiff
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])
    samples = read_media(path, {"luma": FrameRequest(FrameView("gray"))}).frames["luma"]
    assert samples is not None
    upright = (64, 96) if orientation >= 5 else (96, 64)
    reference = read_reference_frames(path, upright, "yuvj420p")
    assert np.array_equal(get_picture(samples[0]), reference[0])


@pytest.mark.parametrize("turn", [90, 270])
def test_a_requested_size_is_that_of_the_upright_picture(tmp_path: Path, turn: int) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=3, size=(96, 64), rotation_deg=turn)
    reading = read_media(
        path,
        {
            "exact": FrameRequest(FrameView("rgb", size=(20, 50))),
            "narrow": FrameRequest(FrameView("gray", max_width=32)),
            "wide": FrameRequest(FrameView("gray", max_width=64)),
        },
    )
    shapes = {name: samples[0].image.shape for name, samples in reading.frames.items()}  # type: ignore[index,union-attr]
    assert shapes == {"exact": (50, 20, 3), "narrow": (48, 32), "wide": (96, 64)}


@pytest.mark.parametrize(
    ("matrix", "expected", "result"),
    [
        (None, Orientation(), [[1, 2, 3], [4, 5, 6]]),
        ([ONE, 0, 0, 0, ONE], Orientation(), [[1, 2, 3], [4, 5, 6]]),
        ([0, ONE, 0, -ONE, 0], Orientation(True, True, False, 90), [[4, 1], [5, 2], [6, 3]]),
        ([-ONE, 0, 0, 0, -ONE], Orientation(False, True, True, 180), [[6, 5, 4], [3, 2, 1]]),
        ([0, -ONE, 0, ONE, 0], Orientation(True, False, True, 270), [[3, 6], [2, 5], [1, 4]]),
        ([-ONE, 0, 0, 0, ONE], Orientation(False, True, False, 180), [[3, 2, 1], [6, 5, 4]]),
        ([ONE, 0, 0, 0, -ONE], Orientation(False, False, True, 0), [[4, 5, 6], [1, 2, 3]]),
        ([0, ONE, 0, ONE, 0], Orientation(True, False, False, 90), [[1, 4], [2, 5], [3, 6]]),
        ([0, -ONE, 0, -ONE, 0], Orientation(True, True, True, 270), [[6, 3], [5, 2], [4, 1]]),
    ],
)
def test_each_of_the_eight_orientations_moves_pixels_as_its_matrix_says(
    matrix: list[int] | None, expected: Orientation, result: list[list[int]]
) -> None:
    orientation = build_orientation(None if matrix is None else [*matrix, 0, 0, 0, 1 << 30])
    assert orientation == expected
    turned = orientation.turn(LETTER)
    assert turned.tolist() == result
    assert turned.flags.c_contiguous
    assert orientation.turn_size((3, 2)) == (turned.shape[1], turned.shape[0])


def test_a_turn_that_is_no_quarter_is_not_applied_and_is_said(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=3, size=(96, 64), rotation_deg=45)
    probe = probe_source(path, TEST_LIMITS)
    assert probe.video is not None
    assert (probe.video.display_width, probe.video.rotation_deg) == (96, 0)
    reading = read_media(path, {"eyes": FrameRequest(FrameView("gray"))})
    assert any("315 degrees" in note for note in reading.summary.notes)


def test_a_degenerate_matrix_turns_nothing() -> None:
    assert build_orientation([0] * 9) == Orientation()


@pytest.mark.parametrize(
    "name",
    ["keyboard_rot0.mov", "keyboard_rot90.mov", "keyboard_rot180.mov",
     "rotated_90_phone_dog.mp4", "rotated_90_vfr_paper.mp4"],
)  # fmt: skip
def test_corpus_turned_clips_equal_ffmpegs_autorotated_output(
    media_corpus: Path, name: str
) -> None:
    path = media_corpus / "video" / name
    probe = probe_source(path, TEST_LIMITS)
    assert probe.video is not None
    upright = (probe.video.display_width, probe.video.display_height)
    samples = read_media(path, {"luma": FrameRequest(FrameView("gray"), every=20)}).frames["luma"]
    assert samples is not None
    reference = read_reference_frames(path, upright, "yuv420p", count=41)
    early = [sample for sample in samples if sample.index <= 40]
    assert len(early) >= 1
    for sample in early:
        full = np.clip(np.rint((reference[sample.index].astype(float) - 16) * 255 / 219), 0, 255)
        assert np.array_equal(get_picture(sample), full)
