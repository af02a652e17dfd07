"""Real files: numbers and times against decodings that share no code with ours."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from filmcan.media.frames import FrameRequest, FrameView
from filmcan.media.probe import probe_source
from filmcan.media.timeline import Sampling, choose_frames
from filmcan.testing.media_reading import (
    ALL_FRAMES,
    TEST_LIMITS,
    find_lost,
    read_media,
    read_samples,
)
from filmcan.testing.reference_ffmpeg import read_reference_times


def decode_independently(path: Path, stream_index: int) -> tuple[list[int], Fraction]:
    """Return the times of all frames as PyAV's plainest use gives them, and the time base."""
    with av.open(str(path)) as container:
        stream = container.streams[stream_index]
        assert stream.time_base is not None
        ticks = []
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            ticks += [item.pts for item in frames if isinstance(item, av.VideoFrame)]
        return [tick for tick in ticks if tick is not None], stream.time_base


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
    assert (reading.summary.frame_count, reading.summary.failed_frames) == (len(ticks), 0)


@pytest.mark.parametrize(
    "name", ["syn_vfr_carphone.mp4", "rotated_90_vfr_paper.mp4", "grid_bbaf2n.mpg", "carphone.mp4"]
)
def test_corpus_times_are_ffmpegs_within_a_millisecond(media_corpus: Path, name: str) -> None:
    path = media_corpus / "video" / name
    times = read_reference_times(path)
    samples = read_samples(path)
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
        assert find_lost(samples) == [30]
        assert any("patched over: 1." in note for note in reading.summary.notes)
        assert (reading.summary.decoded_frames, reading.summary.failed_frames) == (49, 1)
        pictures.append([b"" if s.image is None else s.image.tobytes() for s in samples])
    assert pictures[0] == pictures[1] == pictures[2]
