"""One pass: every frame once, with its own number and time, in the form that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from filmcan.media import stream_decoder
from filmcan.media.conversion import PictureConverter
from filmcan.media.frames import FrameRequest, FrameView
from filmcan.media.sound import SoundRequest
from filmcan.media.timeline import Sampling, choose_frames
from filmcan.testing.made_media import (
    ClipSound,
    ClipVideo,
    build_tone,
    make_clip,
    make_media,
    make_picture,
    make_sound,
    paint_number,
    read_number,
)
from filmcan.testing.media_reading import (
    ALL_FRAMES,
    open_pass,
    read_media,
    read_numbers,
    read_samples,
)

if TYPE_CHECKING:
    import av
    import numpy as np

B_FRAMES = {"bf": "2", "g": "12"}
UNEVEN_MS = [0, 40, 45, 130, 131, 400, 420, 800, 1200, 1210, 1300, 1999, 2000, 2500, 2517, 3000]


@pytest.mark.parametrize(
    ("suffix", "codec", "container"),
    [
        ("mp4", "libx264", None), ("mkv", "libx264", None), ("mov", "libx264", None),
        ("ts", "libx264", "mpegts"), ("flv", "libx264", None), ("avi", "libx264", None),
        ("h264", "libx264", "h264"), ("avi", "mpeg4", None), ("mpg", "mpeg1video", None),
        ("mpg", "mpeg2video", None), ("webm", "libvpx-vp9", None), ("gif", "gif", None),
    ],
)  # fmt: skip
def test_each_frame_has_its_own_number_and_time_in_every_container(
    tmp_path: Path, suffix: str, codec: str, container: str | None
) -> None:
    video = ClipVideo(
        frames=30,
        codec=codec,
        pixel_format="rgb8" if codec == "gif" else "yuv420p",
        options=B_FRAMES if codec == "libx264" else {},
    )
    path = make_media(tmp_path / f"clip.{suffix}", video, container=container)
    reading = read_media(path, ALL_FRAMES)
    samples = reading.frames["eyes"]
    assert samples is not None
    assert read_numbers(samples) == list(range(30))
    assert [item.index for item in samples] == list(range(30))
    expected_sec = [number / 25 for number in range(30)]
    assert [item.time_sec for item in samples] == pytest.approx(expected_sec, abs=1e-3)
    assert (reading.summary.decoded_frames, reading.summary.failed_frames) == (30, 0)
    assert reading.summary.is_complete


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_an_uneven_frame_rate_keeps_its_times(tmp_path: Path, suffix: str) -> None:
    path = make_clip(
        tmp_path / f"clip.{suffix}", frames=len(UNEVEN_MS), times_ms=UNEVEN_MS, options=B_FRAMES
    )
    samples = read_samples(path)
    assert read_numbers(samples) == list(range(len(UNEVEN_MS)))
    assert [item.time_sec * 1000 for item in samples] == pytest.approx(UNEVEN_MS, abs=0.1)


def test_times_begin_at_the_first_frame_wherever_the_container_does(tmp_path: Path) -> None:
    times_ms = [5000 + 40 * number for number in range(20)]
    path = make_clip(tmp_path / "clip.mkv", frames=20, times_ms=times_ms)
    reading = read_media(path, ALL_FRAMES)
    samples = reading.frames["eyes"]
    assert samples is not None
    assert samples[0].time_sec == 0
    assert samples[-1].time_sec == pytest.approx(0.76)
    assert reading.summary.zero_sec == pytest.approx(5.0)
    assert reading.summary.last_frame_sec == pytest.approx(0.76)


@pytest.mark.parametrize("sampling", [
    Sampling("uniform_v1", 2.0, 400), Sampling("uniform_v1", 5.0, 7),
    Sampling("uniform_v1", 0.5, 400),
])  # fmt: skip
def test_the_sampled_frames_are_those_of_the_policy(tmp_path: Path, sampling: Sampling) -> None:
    path = make_clip(
        tmp_path / "clip.mp4", frames=len(UNEVEN_MS), times_ms=UNEVEN_MS, options=B_FRAMES
    )
    expected = choose_frames(UNEVEN_MS, Fraction(1, 1000), sampling)
    samples = read_samples(path, sampling=sampling)
    assert [item.index for item in samples] == list(expected)
    assert read_numbers(samples) == list(expected)


def test_every_kth_instant_is_a_subset_of_the_timeline(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=60)
    requests = {
        "all": FrameRequest(FrameView("gray")),
        "third": FrameRequest(FrameView("gray"), every=3),
    }
    sampling = Sampling("uniform_v1", 5.0, 400)
    frames = read_media(path, requests, sampling=sampling).frames
    assert frames["all"] is not None
    assert frames["third"] is not None
    everything = [item.index for item in frames["all"]]
    assert [item.index for item in frames["third"]] == everything[::3]


def test_a_pair_is_the_sampled_frame_and_the_one_decoded_before_it(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=60, options=B_FRAMES)
    requests = {
        "pairs": FrameRequest(FrameView("gray", max_width=48), with_previous=True),
        "plain": FrameRequest(FrameView("gray", max_width=48)),
    }
    frames = read_media(path, requests, sampling=Sampling("uniform_v1", 5.0, 400)).frames
    pairs, plain = frames["pairs"], frames["plain"]
    assert pairs is not None
    assert plain is not None
    assert pairs[0].previous_image is None
    assert pairs[0].previous_time_sec is None
    for sample in pairs[1:]:
        assert sample.previous_image is not None
        assert sample.previous_time_sec is not None
        assert read_number(sample.previous_image) == sample.index - 1
        assert sample.time_sec - sample.previous_time_sec == pytest.approx(0.04)
        assert sample.previous_image.shape == (32, 48)
    assert all(item.previous_image is None for item in plain)


def test_equal_views_are_converted_once_and_shared_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    convert = PictureConverter.convert

    def counted(self: PictureConverter, frame: av.VideoFrame, view: FrameView) -> np.ndarray:
        calls.append((frame.pts, view))
        return convert(self, frame, view)

    monkeypatch.setattr(PictureConverter, "convert", counted)
    path = make_clip(tmp_path / "clip.mp4", frames=10)
    pair = FrameRequest(FrameView("rgb", max_width=48), with_previous=True)
    requests = {"a": pair, "b": pair, "c": replace(pair, with_previous=False)}
    frames = read_media(path, requests).frames
    assert len(calls) == 10, "each frame once, also as the frame before the next one"
    for a, b, c in zip(*(frames[name] or [] for name in "abc"), strict=True):
        assert a.image is b.image is c.image
        with pytest.raises(ValueError, match="read-only"):
            a.image[0, 0] = 0
    assert frames["a"] is not None
    assert frames["a"][1].previous_image is frames["a"][0].image


def test_a_video_is_decoded_exactly_once_for_any_number_of_components(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[tuple[str, int | None]] = []
    decode = stream_decoder.StreamDecoder._decode

    def counted(
        self: stream_decoder.StreamDecoder, codec: object, packet: object
    ) -> Iterator[stream_decoder.Frame]:
        for frame in decode(self, codec, packet):  # type: ignore[arg-type]
            decoded.append((type(frame).__name__, frame.pts))
            yield frame

    path = make_media(
        tmp_path / "clip.mp4", ClipVideo(frames=40, options=B_FRAMES), ClipSound(build_tone(1.6))
    )
    media = open_pass(
        path,
        {
            f"v{number}": FrameRequest(FrameView("rgb", max_width=20 + number))
            for number in range(4)
        },
        {f"a{number}": SoundRequest(rate_hz=8000 + number) for number in range(3)},
        queue_size=1000,
    )
    monkeypatch.setattr(stream_decoder.StreamDecoder, "_decode", counted)
    media.start()
    for name in ("v0", "v1", "v2", "v3"):
        frames = media.frames(name)
        assert frames is not None
        assert len(list(frames)) == 40
    for name in ("a0", "a1", "a2"):
        sound = media.sound(name)
        assert sound is not None
        assert list(sound)
    summary = media.finish()
    pictures = [stamp for kind, stamp in decoded if kind == "VideoFrame"]
    sounds = [stamp for kind, stamp in decoded if kind == "AudioFrame"]
    assert len(pictures) == len(set(pictures)) == summary.decoded_frames == 40
    assert len(sounds) == len(set(sounds))


def test_a_still_picture_is_one_frame_at_time_zero(tmp_path: Path) -> None:
    path = make_picture(tmp_path / "p.jpg", paint_number(77, (64, 48)))
    reading = read_media(path, {"eyes": FrameRequest(FrameView("rgb"), with_previous=True)})
    samples = reading.frames["eyes"]
    assert samples is not None
    assert [(item.index, item.time_sec) for item in samples] == [(0, 0.0)]
    assert samples[0].previous_image is None
    assert read_numbers(samples) == [77]
    assert reading.summary.is_complete


def test_of_a_picture_file_with_two_pictures_the_first_counts(tmp_path: Path) -> None:
    """Phones append a second JPEG (a depth or brightness map) to the first."""
    first = make_picture(tmp_path / "a.jpg", paint_number(5, (64, 48)))
    second = make_picture(tmp_path / "b.jpg", paint_number(9, (32, 24)))
    both = tmp_path / "both.jpg"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    samples = read_samples(both)
    assert read_numbers(samples) == [5]
    assert samples[0].image is not None
    assert samples[0].image.shape == (48, 64, 3)


def test_c6_a_sound_only_source_has_no_frames(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "s.wav", build_tone(1.0), codec="pcm_s16le")
    reading = read_media(path, ALL_FRAMES, {"ears": SoundRequest()})
    assert reading.frames["eyes"] is None
    assert reading.sounds["ears"] is not None
    assert reading.summary.decoded_frames is None
    assert reading.summary.decoded_samples == 48000


def test_c6_a_source_without_sound_has_no_sound(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=5)
    reading = read_media(path, ALL_FRAMES, {"ears": SoundRequest()})
    assert reading.sounds["ears"] is None
    assert reading.summary.decoded_samples is None


def test_without_a_request_nothing_is_decoded_beyond_the_first_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    take = stream_decoder.StreamDecoder._decode

    def counted(
        self: stream_decoder.StreamDecoder, codec: object, packet: object
    ) -> Iterator[stream_decoder.Frame]:
        for frame in take(self, codec, packet):  # type: ignore[arg-type]
            decoded.append(type(frame).__name__)
            yield frame

    path = make_media(tmp_path / "clip.mp4", ClipVideo(frames=60), ClipSound(build_tone(2.4)))
    media = open_pass(path)
    monkeypatch.setattr(stream_decoder.StreamDecoder, "_decode", counted)
    media.start()
    media.wait_until_decoded()
    summary = media.finish()
    assert decoded == ["VideoFrame"]
    assert summary.decoded_frames is None
    assert summary.decoded_samples is None
    assert summary.zero_sec == 0.0
