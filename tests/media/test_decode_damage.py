"""C6: of a damaged source everything that can be decoded is, and the rest is counted."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from filmcan.errors import BadMediaError
from filmcan.media.sound import SoundRequest
from filmcan.testing.made_media import (
    ClipSound,
    ClipVideo,
    build_tone,
    cut_file,
    damage_packets,
    make_clip,
    make_media,
    paint_number,
)
from filmcan.testing.media_reading import (
    ALL_FRAMES,
    find_lost,
    open_pass,
    read_media,
    read_numbers,
    read_samples,
)

B_FRAMES = {"bf": "2", "g": "12"}


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


@pytest.fixture(scope="module")
def noisy_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames of H.264 with B-frames, in GOPs of 12, whose index comes first."""
    noise = np.random.default_rng(3).integers(0, 20, (4, 96, 128, 3))

    def paint(number: int) -> np.ndarray:
        noisy: np.ndarray = paint_number(number, (128, 96)) + noise[number % 4]
        return noisy.astype(np.uint8)

    video = ClipVideo(
        frames=60, size=(128, 96), paint=paint, options={"bf": "3", "g": "12", "sc_threshold": "0"}
    )
    folder = tmp_path_factory.mktemp("noisy")
    return make_media(folder / "clip.mp4", video, options={"movflags": "+faststart"})


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
        lost = find_lost(samples)
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
        lost = find_lost(samples)
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
    samples = read_samples(cut)
    assert 20 < len(samples) < 60
    assert find_lost(samples) in ([], [len(samples) - 1])


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


def test_a_stream_that_appears_part_way_disturbs_nothing(tmp_path: Path) -> None:
    first = make_clip(tmp_path / "a.ts", frames=30)
    sounds = [ClipSound(build_tone(1.2), codec="mp2") for _ in range(6)]
    second = make_media(tmp_path / "b.ts", ClipVideo(frames=30), *sounds)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    samples = read_samples(joined)
    assert len(samples) >= 58
    assert find_lost(samples) == []


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
