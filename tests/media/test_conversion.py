"""Colour and size of delivered pictures, held to the formulas of the standards."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from filmcan.media.frames import FrameRequest, FrameView
from filmcan.testing.made_media import make_clip, make_picture, read_number
from filmcan.testing.media_reading import get_picture, read_media

KR_KB = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
SPACES = {"bt601": 6, "bt709": 1, "bt2020": 9}
LIMITED, FULL = 1, 2

COLOURS = [(235, 128, 128), (16, 128, 128), (81, 90, 240), (145, 54, 34), (41, 240, 110),
           (126, 100, 150), (200, 120, 140), (60, 160, 110)]  # fmt: skip
"""Y, U, V in limited range; the third to fifth are near pure red, green and blue of BT.601."""


def to_rgb(yuv: tuple[int, int, int], matrix: str, colour_range: int, bits: int = 8) -> np.ndarray:
    """Return the RGB of a colour by the formula of ITU-R BT.601, BT.709 or BT.2020."""
    kr, kb = KR_KB[matrix]
    unit = 1 << (bits - 8)
    low, luma_span, chroma_span = (16, 219, 224) if colour_range == LIMITED else (0, 255, 255)
    luma = (yuv[0] - low * unit) / (luma_span * unit)
    for_blue, for_red = ((value - 128 * unit) / (chroma_span * unit) for value in yuv[1:])
    red = luma + 2 * (1 - kr) * for_red
    blue = luma + 2 * (1 - kb) * for_blue
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    rgb: np.ndarray = np.clip(np.array([red, green, blue]), 0, 1) * 255
    return rgb


def make_patches(
    path: Path, *, size: tuple[int, int] = (64, 48), bits: int = 8, pixel_format: str = "yuv420p",
    colour_space: int | None = None, colour_range: int | None = None,
) -> Path:  # fmt: skip
    """Write one frame for each colour of COLOURS, without loss."""
    width, height = size
    kind = np.uint8 if bits == 8 else np.uint16
    halves = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "410": (4, 4), "411": (4, 1)}
    across, down = next(value for key, value in halves.items() if key in pixel_format)

    def fill(number: int) -> list[np.ndarray]:
        y, u, v = (value << (bits - 8) for value in COLOURS[number])
        chroma = (height // down, width // across)
        return [
            np.full((height, width), y, kind), np.full(chroma, u, kind), np.full(chroma, v, kind),
        ]  # fmt: skip

    return make_clip(
        path, frames=len(COLOURS), size=size, codec="ffv1", pixel_format=pixel_format, planes=fill,
        colour_space=colour_space, colour_range=colour_range,
    )  # fmt: skip


def read_colours(path: Path, view: FrameView) -> np.ndarray:
    """Return the middle pixel of each frame, after checking that the frame is even."""
    samples = read_media(path, {"eyes": FrameRequest(view)}).frames["eyes"]
    assert samples is not None
    pictures = np.array([get_picture(sample) for sample in samples])
    middle = pictures[:, pictures.shape[1] // 2, pictures.shape[2] // 2]
    flat = pictures.reshape(*pictures.shape[:3], -1).astype(int)
    assert np.abs(flat - flat[:, :1, :1]).max() <= 1
    return middle.astype(int)


@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
def test_rgb_follows_the_streams_own_matrix_and_range(
    tmp_path: Path, matrix: str, colour_range: int
) -> None:
    path = make_patches(tmp_path / "c.mkv", colour_space=SPACES[matrix], colour_range=colour_range)
    expected = [to_rgb(colour, matrix, colour_range) for colour in COLOURS]
    for view in (FrameView("rgb"), FrameView("rgb", size=(20, 20)), FrameView("rgb", max_width=32)):
        assert np.abs(read_colours(path, view) - expected).max() <= 1.5


@pytest.mark.parametrize(("lines", "matrix"), [(718, "bt601"), (720, "bt709"), (1080, "bt709")])
def test_an_unstated_matrix_is_bt709_from_720_lines_up(
    tmp_path: Path, lines: int, matrix: str
) -> None:
    path = make_patches(tmp_path / "c.mkv", size=(32, lines))
    expected = [to_rgb(colour, matrix, LIMITED) for colour in COLOURS]
    view = FrameView("rgb", size=(16, 16))
    assert np.abs(read_colours(path, view) - expected).max() <= 1.5


@pytest.mark.parametrize(
    ("pixel_format", "bits"),
    [("yuv422p", 8), ("yuv444p", 8), ("yuv410p", 8), ("yuv411p", 8), ("yuv420p10le", 10),
     ("yuv422p10le", 10), ("yuv444p12le", 12), ("yuv444p16le", 16)],
)  # fmt: skip
def test_other_pixel_formats_give_the_same_colours(
    tmp_path: Path, pixel_format: str, bits: int
) -> None:
    path = make_patches(
        tmp_path / "c.mkv", pixel_format=pixel_format, bits=bits, colour_space=1, colour_range=1
    )
    expected = [to_rgb(colour, "bt709", LIMITED) for colour in COLOURS]
    assert np.abs(read_colours(path, FrameView("rgb")) - expected).max() <= 1.5


@pytest.mark.parametrize("colour_space", [None, 1, 6, 9])
@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
def test_gray_is_the_stored_luma_in_full_range_whatever_the_matrix(
    tmp_path: Path, colour_space: int | None, colour_range: int
) -> None:
    path = make_patches(tmp_path / "c.mkv", colour_space=colour_space, colour_range=colour_range)
    stored = np.array([colour[0] for colour in COLOURS], float)
    expected = np.clip((stored - 16) * 255 / 219, 0, 255) if colour_range == LIMITED else stored
    for view in (FrameView("gray"), FrameView("gray", max_width=20)):
        assert np.abs(read_colours(path, view) - expected).max() <= 0.51


def test_an_rgb_source_passes_unchanged_and_its_gray_is_bt601_luma(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    path = make_picture(tmp_path / "p.png", noise)
    reading = read_media(
        path,
        {"rgb": FrameRequest(FrameView("rgb")), "gray": FrameRequest(FrameView("gray"))},
    )
    rgb, gray = reading.frames["rgb"], reading.frames["gray"]
    assert rgb is not None
    assert gray is not None
    assert np.array_equal(get_picture(rgb[0]), noise)
    luma = noise @ np.array([0.299, 0.587, 0.114])
    assert np.abs(get_picture(gray[0]) - luma).max() <= 1


@pytest.mark.parametrize(
    ("pixel_format", "codec", "suffix"),
    [("rgb24", "png", "mov"), ("bgr0", "ffv1", "mkv"), ("gray", "png", "mov"),
     ("rgb24", "libx264rgb", "mp4"), ("yuv444p", "libx264", "mp4"), ("gray", "libx264", "mp4"),
     ("yuv422p10le", "libx264", "mkv"), ("rgb8", "gif", "gif"), ("yuvj420p", "mjpeg", "avi")],
)  # fmt: skip
def test_frames_of_odd_formats_are_still_recognised(
    tmp_path: Path, pixel_format: str, codec: str, suffix: str
) -> None:
    path = make_clip(tmp_path / f"c.{suffix}", frames=12, codec=codec, pixel_format=pixel_format)
    reading = read_media(
        path,
        {"rgb": FrameRequest(FrameView("rgb")), "gray": FrameRequest(FrameView("gray"))},
    )
    for samples in reading.frames.values():
        assert samples is not None
        shown = [read_number(sample.image) for sample in samples if sample.image is not None]
        assert shown == list(range(12))


def test_a_palette_picture_gives_its_colours(tmp_path: Path) -> None:
    indices = np.arange(48 * 64).reshape(48, 64) % 251
    palette = np.random.default_rng(2).integers(0, 256, (256, 4)).astype(np.uint8)
    palette[:, 0] = 255  # opaque; alpha, red, green, blue
    stored = (indices.astype(np.uint8), palette)
    frame = av.VideoFrame.from_ndarray(stored, "pal8")  # type: ignore[arg-type] # stub: one array
    path = tmp_path / "p.mov"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "pal8"
        frame.pts = 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    samples = read_media(path, {"eyes": FrameRequest(FrameView("rgb"))}).frames["eyes"]
    assert samples is not None
    assert np.array_equal(get_picture(samples[0]), palette[indices][:, :, 1:])


@pytest.mark.parametrize("size", [(97, 65), (33, 17), (15, 31)])
def test_odd_sizes_are_kept(tmp_path: Path, size: tuple[int, int]) -> None:
    path = make_clip(tmp_path / "c.mkv", frames=3, size=size, codec="ffv1")
    samples = read_media(path, {"eyes": FrameRequest(FrameView("rgb"))}).frames["eyes"]
    assert samples is not None
    for number, sample in enumerate(samples):
        assert sample.image is not None
        assert sample.image.shape == (size[1], size[0], 3)
        assert read_number(sample.image) == number


def test_shrinking_averages_areas(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(16, 236, (60, 80)).astype(np.uint8)
    neutral = np.full((30, 40), 128, np.uint8)
    path = make_clip(
        tmp_path / "c.mkv", frames=2, size=(80, 60), codec="ffv1", colour_range=LIMITED,
        planes=lambda _: [noise, neutral, neutral],
    )  # fmt: skip
    request = FrameRequest(FrameView("gray", max_width=16))
    samples = read_media(path, {"eyes": request}).frames["eyes"]
    assert samples is not None
    full = (noise.astype(float) - 16) * 255 / 219
    expected = full.reshape(12, 5, 16, 5).mean(axis=(1, 3))
    assert np.abs(get_picture(samples[0]) - expected).max() <= 1


@pytest.mark.parametrize(
    ("view", "shape"),
    [
        (FrameView("rgb"), (64, 96, 3)),
        (FrameView("gray"), (64, 96)),
        (FrameView("rgb", max_width=48), (32, 48, 3)),
        (FrameView("rgb", max_width=96), (64, 96, 3)),
        (FrameView("rgb", max_width=500), (64, 96, 3)),
        (FrameView("gray", max_width=1), (1, 1)),
        (FrameView("rgb", size=(300, 200)), (200, 300, 3)),
        (FrameView("gray", size=(10, 90)), (90, 10)),
    ],
)
def test_a_view_has_the_size_it_asks_for(
    tmp_path: Path, view: FrameView, shape: tuple[int, ...]
) -> None:
    path = make_clip(tmp_path / "c.mp4", frames=2, size=(96, 64))
    samples = read_media(path, {"eyes": FrameRequest(view)}).frames["eyes"]
    assert samples is not None
    image = samples[0].image
    assert image is not None
    assert image.shape == shape
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert not image.flags.writeable


def test_monochrome_video_tagged_limited_is_brought_to_full_range(tmp_path: Path) -> None:
    shades = [np.full((32, 32), shade, np.uint8) for shade in (16, 235)]
    path = make_clip(
        tmp_path / "c.mkv", frames=2, size=(32, 32), codec="ffv1", pixel_format="gray",
        colour_range=LIMITED, planes=lambda number: [shades[number]],
    )  # fmt: skip
    assert read_colours(path, FrameView("gray")).tolist() == [0, 255]
    assert read_colours(path, FrameView("rgb")).tolist() == [[0, 0, 0], [255, 255, 255]]
