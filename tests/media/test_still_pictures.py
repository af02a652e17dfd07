"""Picture files as sources: one upright 8-bit RGB frame, whatever the file holds (C6.6)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from filmcan.media.frames import FrameRequest, FrameView
from filmcan.media.probe import probe_source
from filmcan.testing.media_reading import TEST_LIMITS, get_picture, read_media

REQUESTS = {"rgb": FrameRequest(FrameView("rgb")), "gray": FrameRequest(FrameView("gray"))}


@pytest.fixture
def picture() -> Image.Image:
    """Return 96x64 with another colour in each corner and smooth shades between them."""
    corners = np.array([[[250, 250, 250], [220, 30, 30]], [[30, 30, 220], [30, 200, 30]]], np.uint8)
    large = cv2.resize(corners, (96, 64), interpolation=cv2.INTER_LINEAR)
    return Image.fromarray(np.asarray(large, np.uint8))


def read_both(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return what components see of a picture file: uint8[h, w, 3] and uint8[h, w]."""
    probe = probe_source(path, TEST_LIMITS)
    assert probe.is_still_picture
    assert probe.duration_sec is None
    assert probe.audio is None
    reading = read_media(path, REQUESTS)
    pictures = []
    for name in REQUESTS:
        samples = reading.frames[name]
        assert samples is not None
        (sample,) = samples
        assert (sample.index, sample.time_sec) == (0, 0.0)
        pictures.append(get_picture(sample))
    summary = reading.summary
    assert (summary.decoded_frames, summary.failed_frames, summary.frame_count) == (1, 0, 1)
    assert summary.is_complete
    shape = pictures[1].shape
    assert probe.video is not None
    assert (probe.video.display_height, probe.video.display_width) == shape
    return pictures[0], pictures[1]


def check(path: Path, expected: Image.Image, tolerance: int) -> None:
    rgb, gray = read_both(path)
    wanted = np.asarray(expected.convert("RGB"), np.int16)
    assert rgb.shape == wanted.shape
    assert np.abs(rgb - wanted).max() <= tolerance
    errors = np.abs(gray - wanted @ [0.299, 0.587, 0.114])
    assert errors.mean() < 1
    assert errors.max() <= tolerance + 6, "a stored luma may belong to no colour that can be shown"


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "1"])
def test_a_png_of_any_kind_gives_its_colours(
    tmp_path: Path, picture: Image.Image, mode: str
) -> None:
    """Alpha is dropped, not blended: the colours below it are the file's."""
    path = tmp_path / "picture.png"
    converted = picture.convert(mode)
    if mode in ("RGBA", "LA"):
        shade = Image.linear_gradient("L").resize(picture.size)
        converted.putalpha(shade)
    converted.save(path)
    expected = converted.convert("RGB") if mode not in ("RGBA", "LA") else picture
    check(path, expected.convert("L") if mode == "LA" else expected, 1)


def test_a_palette_with_a_transparent_colour_gives_its_colours(
    tmp_path: Path, picture: Image.Image
) -> None:
    path = tmp_path / "picture.png"
    few = picture.quantize(16)
    few.save(path, transparency=3)
    check(path, few, 1)


@pytest.mark.parametrize("is_gray", [True, False])
def test_sixteen_bits_are_brought_to_eight(
    tmp_path: Path, picture: Image.Image, is_gray: bool
) -> None:
    path = tmp_path / "picture.png"
    shown = picture.convert("L") if is_gray else picture
    deep = np.asarray(shown).astype(np.uint16) * 257
    assert cv2.imwrite(str(path), deep if is_gray else deep[:, :, ::-1])
    check(path, shown, 1)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {}),
        ("RGB", {"progressive": True}),
        ("RGB", {"subsampling": 0}),
        ("L", {}),
    ],
)
def test_a_jpeg_gives_its_colours(
    tmp_path: Path, picture: Image.Image, mode: str, options: dict[str, object]
) -> None:
    path = tmp_path / "picture.jpg"
    picture.convert(mode).save(path, quality=95, **options)
    with Image.open(path) as saved:
        check(path, saved, 4)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["picture.jpg", "picture.png"])
def test_exif_turns_a_picture_upright(
    tmp_path: Path, picture: Image.Image, name: str, orientation: int
) -> None:
    """All eight ways a camera can have been held, held to Pillow's idea of upright."""
    path = tmp_path / name
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(path, exif=exif, **({"quality": 95} if name.endswith("jpg") else {}))
    with Image.open(path) as saved:
        check(path, ImageOps.exif_transpose(saved), 4)


def test_corpus_pictures_are_read_as_pillow_reads_them(media_corpus: Path) -> None:
    paths = [*media_corpus.glob("image/*"), *media_corpus.glob("*/*.png")]
    assert len(paths) >= 8
    for path in paths:
        with Image.open(path) as saved:
            check(path, saved, 4)
