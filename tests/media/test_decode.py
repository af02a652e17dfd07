"""One pass: every frame once, right number, right time, whatever the file and the consumers do."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import filmcan.media.stream_decoder as stream_decoder
from filmcan.errors import BadMediaError, ComponentFailedError, InternalError
from filmcan.media.conversion import PictureConverter
from filmcan.media.decode import MediaPass
from filmcan.media.frames import FrameRequest, FrameSample, FrameView
from filmcan.media.probe import probe_source
from filmcan.media.sound import SoundRequest
from filmcan.media.timeline import Sampling, choose_frames
from filmcan.testing.made_media import (
    ClipSound,
    ClipVideo,
    build_tone,
    cut_file,
    damage_packets,
    make_clip,
    make_media,
    make_picture,
    make_sound,
    paint_number,
    read_number,
)
from filmcan.testing.media_reading import (
    ALL_FRAMES,
    EVERY_FRAME,
    TEST_LIMITS,
    open_pass,
    read_media,
)
from filmcan.testing.reference_ffmpeg import read_reference_times

B_FRAMES = {"bf": "2", "g": "12"}
UNEVEN_MS = [0, 40, 45, 130, 131, 400, 420, 800, 1200, 1210, 1300, 1999, 2000, 2500, 2517, 3000]
WAIT_SEC = 20.0
"""Only reached when a test fails: nothing here waits on a clock."""


def get_samples(path: Path, **settings: object) -> list[FrameSample]:
    samples = read_media(path, ALL_FRAMES, **settings).frames["eyes"]  # type: ignore[arg-type]
    assert samples is not None
    return samples


def read_numbers(samples: Sequence[FrameSample]) -> list[int | None]:
    return [None if item.image is None else read_number(item.image) for item in samples]


def decode_independently(path: Path, stream_index: int) -> tuple[list[int], Fraction]:
    """Return the times of all frames as PyAV's plainest use gives them, and the time base."""
    with av.open(str(path)) as container:
        stream = container.streams[stream_index]
        assert stream.time_base is not None
        ticks = []
        for packet in container.demux(stream):
            try:
                ticks += [frame.pts for frame in packet.decode()]
            except av.FFmpegError:
                continue
        return [tick for tick in ticks if tick is not None], stream.time_base


# --- numbers and times ---------------------------------------------------------------------------


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
    settings = {"options": B_FRAMES} if codec == "libx264" else {}
    video = ClipVideo(
        frames=30, codec=codec, pixel_format="rgb8" if codec == "gif" else "yuv420p", **settings
    )
    path = make_media(tmp_path / f"clip.{suffix}", video, container=container)
    reading = read_media(path, ALL_FRAMES)
    samples = reading.frames["eyes"]
    assert samples is not None
    assert read_numbers(samples) == list(range(30))
    assert [item.index for item in samples] == list(range(30))
    assert [item.time_sec for item in samples] == pytest.approx([n / 25 for n in range(30)], abs=1e-3)
    assert (reading.summary.decoded_frames, reading.summary.failed_frames) == (30, 0)
    assert reading.summary.is_complete


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_an_uneven_frame_rate_keeps_its_times(tmp_path: Path, suffix: str) -> None:
    path = make_clip(
        tmp_path / f"clip.{suffix}", frames=len(UNEVEN_MS), times_ms=UNEVEN_MS, options=B_FRAMES
    )
    samples = get_samples(path)
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
    Sampling("uniform_v1", 2.0, 400), Sampling("uniform_v1", 5.0, 7), Sampling("uniform_v1", 0.5, 400),
])  # fmt: skip
def test_the_sampled_frames_are_those_of_the_policy(tmp_path: Path, sampling: Sampling) -> None:
    path = make_clip(
        tmp_path / "clip.mp4", frames=len(UNEVEN_MS), times_ms=UNEVEN_MS, options=B_FRAMES
    )
    expected = choose_frames(UNEVEN_MS, Fraction(1, 1000), sampling)
    samples = get_samples(path, sampling=sampling)
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
    probe = probe_source(path, TEST_LIMITS)
    monkeypatch.setattr(stream_decoder.StreamDecoder, "_decode", counted)
    media = MediaPass(
        path, probe, sampling=EVERY_FRAME, limits=TEST_LIMITS,
        frame_requests={f"v{n}": FrameRequest(FrameView("rgb", max_width=20 + n)) for n in range(4)},
        sound_requests={f"a{n}": SoundRequest(rate_hz=8000 + n) for n in range(3)},
        queue_size=1000,
    )  # fmt: skip
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


# --- what is missing ------------------------------------------------------------------------------


def test_a_still_picture_is_one_frame_at_time_zero(tmp_path: Path) -> None:
    path = make_picture(tmp_path / "p.jpg", paint_number(77, (64, 48)))
    reading = read_media(path, {"eyes": FrameRequest(FrameView("rgb"), with_previous=True)})
    samples = reading.frames["eyes"]
    assert samples is not None
    assert [(item.index, item.time_sec, item.previous_image) for item in samples] == [(0, 0.0, None)]
    assert read_numbers(samples) == [77]
    assert reading.summary.is_complete


def test_of_a_picture_file_with_two_pictures_the_first_counts(tmp_path: Path) -> None:
    """Phones append a second JPEG (a depth or brightness map) to the first."""
    first = make_picture(tmp_path / "a.jpg", paint_number(5, (64, 48)))
    second = make_picture(tmp_path / "b.jpg", paint_number(9, (32, 24)))
    both = tmp_path / "both.jpg"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    samples = get_samples(both)
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


# --- damage ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def noisy_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames of H.264 with B-frames, in GOPs of 12, whose index comes first."""
    noise = np.random.default_rng(3).integers(0, 20, (4, 96, 128, 3))

    def paint(number: int) -> np.ndarray:
        return (paint_number(number, (128, 96)) + noise[number % 4]).astype(np.uint8)

    video = ClipVideo(
        frames=60, size=(128, 96), paint=paint, options={"bf": "3", "g": "12", "sc_threshold": "0"}
    )
    folder = tmp_path_factory.mktemp("noisy")
    return make_media(folder / "clip.mp4", video, options={"movflags": "+faststart"})


def find_damage(samples: Sequence[FrameSample]) -> list[int]:
    return [item.index for item in samples if item.image is None]


@pytest.mark.parametrize("packet", [1, 14, 26, 40, 57, 58, 59])
def test_c6_a_damaged_frame_is_missing_and_all_others_keep_number_and_time(
    tmp_path: Path, noisy_clip: Path, packet: int
) -> None:
    path = damage_packets(noisy_clip, tmp_path / "damaged.mp4", [packet])
    seen = []
    for threads in (1, 2, 4):
        reading = read_media(path, ALL_FRAMES, decode_threads=threads)
        samples = reading.frames["eyes"]
        assert samples is not None
        assert [item.index for item in samples] == list(range(60))
        assert [item.time_sec for item in samples] == pytest.approx([n / 25 for n in range(60)])
        lost = find_damage(samples)
        assert lost, "noise in a packet is noticed"
        assert reading.summary.failed_frames == len(lost)
        assert reading.summary.decoded_frames == 60 - len(lost)
        assert f"did not decode: {len(lost)}." in " ".join(reading.summary.notes)
        before = [item for item in samples if item.index < min(lost) - 12]
        assert read_numbers(before) == [item.index for item in before]
        seen.append([None if item.image is None else item.image.tobytes() for item in samples])
    assert seen[0] == seen[1] == seen[2], "the number of threads changes nothing"


@pytest.mark.parametrize("share", [0.3, 0.55, 0.8, 0.97])
def test_c6_of_a_file_that_ends_early_the_missing_frames_are_counted(
    tmp_path: Path, noisy_clip: Path, share: float
) -> None:
    path = cut_file(noisy_clip, tmp_path / "cut.mp4", share)
    readable = len(decode_independently(path, 0)[0])
    assert 10 < readable < 60
    results = []
    for threads in (1, 2, 4):
        reading = read_media(path, ALL_FRAMES, decode_threads=threads)
        samples = reading.frames["eyes"]
        assert samples is not None
        assert [item.index for item in samples] == list(range(60))
        assert [item.time_sec for item in samples] == pytest.approx([n / 25 for n in range(60)])
        lost = find_damage(samples)
        good = [item for item in samples if item.image is not None]
        assert read_numbers(good) == [item.index for item in good]
        assert len(good) == readable
        assert reading.summary.failed_frames == len(lost) == 60 - len(good)
        assert any("file ends early" in note for note in reading.summary.notes)
        results.append(lost)
    assert results[0] == results[1] == results[2]


def test_a_matroska_that_ends_early_has_fewer_frames_and_no_failures(tmp_path: Path) -> None:
    """It has no index that promises more."""
    path = make_clip(tmp_path / "clip.mkv", frames=60, options=B_FRAMES)
    cut = cut_file(path, tmp_path / "cut.mkv", 0.6)
    samples = get_samples(cut)
    assert 20 < len(samples) < 60
    assert find_damage(samples) in ([], [len(samples) - 1])


def test_c6_a_source_of_which_nothing_decodes_is_bad_media(
    tmp_path: Path, noisy_clip: Path
) -> None:
    path = damage_packets(noisy_clip, tmp_path / "noise.mp4", range(60))
    media = open_pass(path, ALL_FRAMES)
    media.start()
    with pytest.raises(BadMediaError) as raised:
        media.wait_until_decoded()
    assert raised.value.code == "nothing_decodes"
    assert raised.value.where == "noise.mp4"
    frames = media.frames("eyes")
    assert frames is not None
    assert frames.is_empty()
    assert frames.display_size == (128, 96)
    assert list(frames) == []
    assert media.finish().failed_frames == 60


def test_c6_when_the_video_is_lost_the_sound_goes_on(tmp_path: Path) -> None:
    whole = make_media(
        tmp_path / "clip.mp4", ClipVideo(frames=40, options=B_FRAMES), ClipSound(build_tone(1.6))
    )
    path = damage_packets(whole, tmp_path / "noise.mp4", range(40))
    reading = read_media(path, ALL_FRAMES, {"ears": SoundRequest()})
    assert reading.frames["eyes"] == []
    blocks = reading.sounds["ears"]
    assert blocks
    assert blocks[0].start_sec == pytest.approx(0.0, abs=1e-3)
    without_request = open_pass(path)
    without_request.start()
    without_request.wait_until_decoded()
    without_request.finish()


def test_noise_anywhere_in_a_file_never_hangs_or_crashes(tmp_path: Path, noisy_clip: Path) -> None:
    data = noisy_clip.read_bytes()
    noise = np.random.default_rng(5)
    for number in range(12):
        damaged = bytearray(data)
        for place in noise.integers(0, len(data), 40):
            damaged[place] ^= 1 << noise.integers(0, 8)
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(damaged)
        try:
            samples = read_media(path, ALL_FRAMES).frames["eyes"]
        except BadMediaError:
            continue
        assert samples is None or [s.index for s in samples] == sorted({s.index for s in samples})


# --- consumers ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Far more frames and sound than the channels hold."""
    folder = tmp_path_factory.mktemp("long")
    return make_media(
        folder / "clip.mp4", ClipVideo(frames=200, size=(64, 48)), ClipSound(build_tone(8.0))
    )


def in_thread(body: object, *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=body, args=arguments, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def assert_ends(thread: threading.Thread) -> None:
    thread.join(WAIT_SEC)
    assert not thread.is_alive()


def test_a_component_that_stops_early_holds_nobody_up(long_clip: Path) -> None:
    request = FrameRequest(FrameView("gray"))
    media = open_pass(long_clip, {"early": request, "late": request}, {"ears": SoundRequest()})
    media.start()
    early, late = media.frames("early"), media.frames("late")
    assert early is not None
    assert late is not None
    counts = []
    thread = in_thread(lambda: counts.append(len(list(late))))
    assert next(iter(early)).index == 0
    media.release("early")
    media.release("ears")
    assert_ends(thread)
    assert counts == [200]
    summary = media.finish()
    assert summary.decoded_frames == 200
    assert not summary.is_complete, "the sound was given up"


def test_a_component_that_never_comes_can_be_released_later(long_clip: Path) -> None:
    request = FrameRequest(FrameView("gray"))
    media = open_pass(long_clip, {"absent": request, "eager": request})
    media.start()
    eager = media.frames("eager")
    assert eager is not None
    stream = iter(eager)
    held = [next(stream).index for _ in range(3)]
    media.release("absent")
    assert held + [item.index for item in stream] == list(range(200))
    media.finish()


def test_when_all_are_released_decoding_stops(long_clip: Path) -> None:
    media = open_pass(long_clip, ALL_FRAMES, {"ears": SoundRequest()})
    media.start()
    frames = media.frames("eyes")
    assert frames is not None
    next(iter(frames))
    media.release("eyes")
    media.release("ears")
    summary = media.finish()
    assert summary.decoded_frames is not None
    assert summary.decoded_frames < 200
    assert not summary.is_complete


def test_finishing_with_components_that_never_came_does_not_hang(long_clip: Path) -> None:
    media = open_pass(long_clip, ALL_FRAMES, {"ears": SoundRequest()})
    media.start()
    thread = in_thread(media.finish)
    assert_ends(thread)


def test_a_cancellation_ends_all_threads_and_reaches_the_consumers(long_clip: Path) -> None:
    media = open_pass(long_clip, ALL_FRAMES, {"ears": SoundRequest()})
    media.start()
    frames, sound = media.frames("eyes"), media.sound("ears")
    assert frames is not None
    assert sound is not None
    stream = iter(frames)
    next(stream)
    media.cancel()
    assert not any(thread.is_alive() for thread in media._threads)
    for left in (stream, iter(sound)):
        with pytest.raises(ComponentFailedError) as raised:
            list(left)
        assert raised.value.code == "interrupted"


def test_a_pass_can_be_cancelled_before_it_starts(long_clip: Path) -> None:
    open_pass(long_clip, ALL_FRAMES).cancel()


def test_channels_of_one_item_suffice(long_clip: Path) -> None:
    request = FrameRequest(FrameView("gray"), with_previous=True)
    reading = read_media(
        long_clip, {"a": request, "b": replace(request, every=7)},
        {"c": SoundRequest(), "d": SoundRequest(rate_hz=8000, mono=True)}, queue_size=1,
    )  # fmt: skip
    assert {name: len(samples or []) for name, samples in reading.frames.items()} == {"a": 200, "b": 29}


def test_an_error_inside_a_thread_surfaces_at_consumers_and_at_the_end(
    long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> np.ndarray:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(PictureConverter, "convert", fail)
    media = open_pass(long_clip, ALL_FRAMES, {"ears": SoundRequest()})
    media.start()
    frames = media.frames("eyes")
    assert frames is not None
    with pytest.raises(InternalError, match="a bug"):
        list(frames)
    with pytest.raises(InternalError, match="a bug"):
        media.finish()


def test_pictures_that_cannot_be_converted_leave_the_sound_alone(
    long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> np.ndarray:
        raise ValueError("no such format")

    monkeypatch.setattr(PictureConverter, "convert", refuse)
    media = open_pass(long_clip, ALL_FRAMES, {"ears": SoundRequest()})
    media.start()
    frames, sound = media.frames("eyes"), media.sound("ears")
    assert frames is not None
    assert sound is not None
    with pytest.raises(BadMediaError, match="pixel format yuv420p"):
        list(frames)
    assert sum(block.samples.shape[1] for block in sound) > 8 * 48000 - 4096
    media.finish()


def test_a_source_that_is_replaced_after_the_probe_is_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=10)
    probe = probe_source(path, TEST_LIMITS)
    make_clip(path, frames=20)
    with pytest.raises(BadMediaError) as refused:
        MediaPass(
            path, probe, sampling=EVERY_FRAME, limits=TEST_LIMITS, frame_requests=ALL_FRAMES,
            sound_requests={},
        )  # fmt: skip
    assert refused.value.code == "source_changed"


@pytest.mark.parametrize("sounds", [{}, {"ears": SoundRequest()}])
def test_progress_rises_to_1(long_clip: Path, sounds: dict[str, SoundRequest]) -> None:
    shares: list[float] = []
    read_media(long_clip, ALL_FRAMES, sounds, on_progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert 20 < len(shares) <= 201


# --- the corpus -----------------------------------------------------------------------------------

CORPUS_VIDEOS = [
    "bigbuckbunny.mp4", "bikes.mp4", "carphone.mp4", "face_srt_subtitles.mkv", "grid_bbaf2n.mpg",
    "grid_lwbsza.mpg", "grid_pwij3p.mpg", "keyboard_rot0.mov", "keyboard_rot180.mov",
    "keyboard_rot90.mov", "nasa_13013.mp4", "rotated_90_phone_dog.mp4", "rotated_90_vfr_paper.mp4",
    "silent_black_25s.mp4", "syn_cuts_4shots.mp4", "syn_pan_astronaut.mp4", "syn_vfr_carphone.mp4",
    "bottles.mp4", "cockatoo.mp4",
]  # fmt: skip


@pytest.mark.parametrize("name", CORPUS_VIDEOS)
def test_corpus_indices_and_times_equal_an_independent_decoding(
    media_corpus: Path, name: str
) -> None:
    path = media_corpus / "video" / name
    probe = probe_source(path, TEST_LIMITS)
    assert probe.video is not None
    ticks, tick_sec = decode_independently(path, probe.video.index)
    sampling = Sampling("uniform_v1", 2.0, 400)
    expected = choose_frames(ticks, tick_sec, sampling)
    requests = {"eyes": FrameRequest(FrameView("gray", max_width=64))}
    reading = read_media(path, requests, sampling=sampling)
    samples = reading.frames["eyes"]
    assert samples is not None
    assert [item.index for item in samples] == list(expected)
    assert [item.time_sec for item in samples] == pytest.approx(
        [float((ticks[index] - ticks[0]) * tick_sec) for index in expected], abs=1e-6
    )
    assert all(item.image is not None for item in samples)
    assert reading.summary.decoded_frames == len(ticks)
    assert reading.summary.failed_frames == 0


@pytest.mark.parametrize(
    "name", ["syn_vfr_carphone.mp4", "rotated_90_vfr_paper.mp4", "grid_bbaf2n.mpg", "carphone.mp4"]
)
def test_corpus_times_are_ffmpegs_within_a_millisecond(media_corpus: Path, name: str) -> None:
    path = media_corpus / "video" / name
    times = read_reference_times(path)
    samples = get_samples(path)
    assert len(samples) == len(times)
    assert [item.time_sec for item in samples] == pytest.approx(
        [time - times[0] for time in times], abs=1e-3
    )


def test_corpus_the_uneven_clip_ends_at_4059_ms(media_corpus: Path) -> None:
    reading = read_media(media_corpus / "video" / "syn_vfr_carphone.mp4", ALL_FRAMES)
    assert reading.summary.last_frame_sec == pytest.approx(4.059, abs=1e-6)
    assert reading.summary.decoded_frames == 90


def test_c6_corpus_a_damaged_clip_gives_what_can_be_decoded(media_corpus: Path) -> None:
    path = media_corpus / "broken" / "corrupted.mp4"
    pictures = []
    for threads in (1, 2, 4):
        requests = {"eyes": FrameRequest(FrameView("gray", max_width=64))}
        reading = read_media(path, requests, decode_threads=threads)
        samples = reading.frames["eyes"]
        assert samples is not None
        assert [item.index for item in samples] == list(range(50))
        assert find_damage(samples) == [30]
        assert any("patched over: 1." in note for note in reading.summary.notes)
        assert (reading.summary.decoded_frames, reading.summary.failed_frames) == (49, 1)
        pictures.append([b"" if s.image is None else s.image.tobytes() for s in samples])
    assert pictures[0] == pictures[1] == pictures[2]
