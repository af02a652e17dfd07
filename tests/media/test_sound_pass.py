"""Sound: every sample once, at the right time, in the form that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from filmcan.errors import BadMediaError
from filmcan.media.sound import SoundBlock, SoundRequest
from filmcan.media.sound_conversion import SoundClock, SoundConverter
from filmcan.testing.made_media import (
    ClipSound,
    ClipVideo,
    build_impulse,
    build_tone,
    damage_packets,
    make_media,
    make_sound,
)
from filmcan.testing.media_reading import ALL_FRAMES, open_pass, read_media


def get_blocks(path: Path, request: SoundRequest | None = None) -> list[SoundBlock]:
    blocks = read_media(path, sounds={"ears": request or SoundRequest()}).sounds["ears"]
    assert blocks is not None
    return blocks


def join(blocks: Sequence[SoundBlock]) -> np.ndarray:
    return np.concatenate([block.samples for block in blocks], axis=1)


def find_loud_sec(blocks: Sequence[SoundBlock], rate_hz: int) -> float:
    """Return the time of the first sample above a third of full scale."""
    for block in blocks:
        loud = np.flatnonzero(np.abs(block.samples).max(axis=0) > 0.3)
        if loud.size:
            return block.start_sec + float(loud[0]) / rate_hz
    raise AssertionError("nothing loud")


def assert_contiguous(blocks: Sequence[SoundBlock], rate_hz: int) -> None:
    for before, after in pairwise(blocks):
        end = before.start_sec + before.samples.shape[1] / rate_hz
        assert after.start_sec == pytest.approx(end, abs=1e-6)


@pytest.mark.parametrize(
    ("channels", "layout"),
    [(1, "mono"), (2, "stereo"), (4, "4.0"), (6, "5.1"), (7, "6.1"), (8, "7.1")],
)
@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le", "pcm_s32le"])
def test_native_sound_comes_as_stored(
    tmp_path: Path, channels: int, layout: str, codec: str
) -> None:
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, (channels, 30_000)).astype(np.float32)
    path = make_sound(tmp_path / "s.wav", noise, rate_hz=44100, layout=layout, codec=codec)
    media = open_pass(path, sounds={"ears": SoundRequest()})
    media.start()
    sound = media.sound("ears")
    assert sound is not None
    assert not sound.is_empty()
    assert (sound.rate_hz, sound.channel_layout) == (44100, layout)
    blocks = list(sound)
    media.release("ears")
    assert media.finish().decoded_samples == 30_000
    assert all(block.samples.dtype == np.float32 for block in blocks)
    assert all(not block.samples.flags.writeable for block in blocks)
    assert_contiguous(blocks, 44100)
    assert blocks[0].start_sec == 0.0
    step = 1 / 32768 if codec == "pcm_s16le" else 1e-6
    assert np.abs(join(blocks) - noise).max() <= step


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 44100, 96000])
def test_resampled_sound_keeps_level_length_and_time(tmp_path: Path, rate_hz: int) -> None:
    tone = build_tone(2.0, hz=440.0, peak=0.5)
    tone[:, :24000] = 0
    path = make_sound(tmp_path / "s.wav", tone, codec="pcm_s16le")
    blocks = get_blocks(path, SoundRequest(rate_hz=rate_hz))
    assert_contiguous(blocks, rate_hz)
    samples = join(blocks)
    assert samples.shape[1] == pytest.approx(2.0 * rate_hz, abs=2)
    assert np.sqrt(np.mean(samples[0, rate_hz:] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=5e-3)
    impulse = make_sound(tmp_path / "i.wav", build_impulse(2.0, 1.2), codec="pcm_s16le")
    found = find_loud_sec(get_blocks(impulse, SoundRequest(rate_hz=rate_hz)), rate_hz)
    assert found == pytest.approx(1.2, abs=1e-3)


def test_mono_is_a_mix_that_cannot_exceed_full_scale(tmp_path: Path) -> None:
    stereo = np.stack([np.full(9600, 0.8), np.full(9600, 0.4)]).astype(np.float32)
    path = make_sound(tmp_path / "s.wav", stereo, layout="stereo", codec="pcm_f32le")
    mixed = join(get_blocks(path, SoundRequest(mono=True)))
    assert mixed.shape == (1, 9600)
    assert np.abs(mixed - 0.6).max() < 1e-4
    loud = np.full((8, 9600), 1.0, np.float32)
    path = make_sound(tmp_path / "l.wav", loud, layout="7.1", codec="pcm_f32le")
    assert join(get_blocks(path, SoundRequest(mono=True))).max() <= 1.0 + 1e-6


def test_a_count_of_channels_without_names_is_taken_for_the_usual_layout(tmp_path: Path) -> None:
    samples = build_tone(0.5, channels=6)
    path = make_sound(tmp_path / "s.wav", samples, layout="5.1", codec="pcm_s16le")
    data = bytearray(path.read_bytes())
    mask = data.index(b"fmt ") + 8 + 20
    data[mask : mask + 4] = bytes(4)  # WAVE_FORMAT_EXTENSIBLE with no channel mask
    path.write_bytes(data)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].layout.name == "6 channels"
    media = open_pass(path, sounds={"ears": SoundRequest(), "mono": SoundRequest(mono=True)})
    media.start()
    sound, mono = media.sound("ears"), media.sound("mono")
    assert sound is not None
    assert mono is not None
    assert not sound.is_empty()
    assert sound.channel_layout == "5.1"
    assert mono.channel_layout == "mono"
    assert join(list(sound)).shape[0] == 6
    assert join(list(mono)).shape[0] == 1
    media.finish()


def test_channels_nobody_can_name_are_mixed_evenly() -> None:
    converter = SoundConverter(SoundRequest(mono=True))
    samples = np.repeat(np.arange(1, 10, dtype=np.float32) / 10, 64).reshape(9, 64)
    frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1).copy(), "flt", "9C")
    frame.sample_rate = 8000
    converter.open(frame)
    blocks = [*converter.add(frame, Fraction(0), is_new_stretch=True), *converter.flush()]
    assert np.abs(join(blocks) - 0.5).max() < 1e-5


@pytest.mark.parametrize("mono", [True, False])
def test_sound_that_ffmpeg_cannot_convert_is_refused_by_name(*, mono: bool) -> None:
    converter = SoundConverter(SoundRequest(mono=mono))
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 92 * 8), np.float32), "flt", "92C")
    frame.sample_rate = 8000
    converter.open(frame)
    with pytest.raises(BadMediaError, match="92 channels") as refused:
        list(converter.add(frame, Fraction(0), is_new_stretch=True))
    assert refused.value.code == "unknown_sound_format"


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("offset_sec", [0.0, 0.5])
def test_sound_shares_the_zero_of_the_first_decoded_frame(
    tmp_path: Path, suffix: str, offset_sec: float
) -> None:
    """A click at 1.0 s of a sound that starts `offset_sec` after the picture."""
    path = make_media(
        tmp_path / f"clip.{suffix}",
        ClipVideo(frames=75, options={"bf": "2"}),
        ClipSound(build_impulse(2.0, 1.0), start_sec=offset_sec),
    )
    reading = read_media(path, ALL_FRAMES, {"ears": SoundRequest()})
    blocks = reading.sounds["ears"]
    assert blocks is not None
    # 1.5 ms: a lossy codec smears the edge of a click.
    assert find_loud_sec(blocks, 48000) == pytest.approx(1.0 + offset_sec, abs=1.5e-3)


def test_sound_before_the_first_frame_has_negative_times(tmp_path: Path) -> None:
    path = make_media(
        tmp_path / "clip.mkv",
        ClipVideo(frames=20, times_ms=[600 + 40 * number for number in range(20)]),
        ClipSound(build_impulse(1.5, 1.0), codec="pcm_s16le"),
    )
    blocks = read_media(path, ALL_FRAMES, {"ears": SoundRequest()}).sounds["ears"]
    assert blocks is not None
    assert blocks[0].start_sec == pytest.approx(-0.6, abs=1e-3)
    assert find_loud_sec(blocks, 48000) == pytest.approx(0.4, abs=1e-3)


def test_a_sound_file_begins_at_its_own_first_sample(tmp_path: Path) -> None:
    path = make_media(
        tmp_path / "s.mkv", ClipSound(build_tone(1.0), start_sec=3.0, codec="pcm_s16le")
    )
    reading = read_media(path, sounds={"ears": SoundRequest()})
    blocks = reading.sounds["ears"]
    assert blocks is not None
    assert blocks[0].start_sec == 0.0
    assert reading.summary.zero_sec == pytest.approx(3.0)
    assert reading.summary.last_sound_sec == pytest.approx(1.0)


def test_frames_nobody_asked_for_still_set_the_zero(tmp_path: Path) -> None:
    path = make_media(
        tmp_path / "clip.mkv",
        ClipVideo(frames=20, times_ms=[400 + 40 * number for number in range(20)]),
        ClipSound(build_tone(1.5), codec="pcm_s16le"),
    )
    assert get_blocks(path)[0].start_sec == pytest.approx(-0.4, abs=1e-3)


def test_equal_requests_are_resampled_once_and_shared(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "s.wav", build_tone(2.0), codec="pcm_s16le")
    request = SoundRequest(rate_hz=16000)
    sounds = read_media(path, sounds={"a": request, "b": SoundRequest(rate_hz=16000)}).sounds
    for a, b in zip(sounds["a"] or [], sounds["b"] or [], strict=True):
        assert a.samples is b.samples


def test_a_damaged_packet_is_skipped_counted_and_leaves_a_gap(tmp_path: Path) -> None:
    whole = make_media(tmp_path / "s.mkv", ClipSound(build_impulse(4.0, 3.0), codec="flac"))
    path = damage_packets(whole, tmp_path / "d.mkv", [10], kind="audio")
    reading = read_media(path, sounds={"ears": SoundRequest(), "low": SoundRequest(rate_hz=8000)})
    for name, rate_hz in (("ears", 48000), ("low", 8000)):
        blocks = reading.sounds[name]
        assert blocks is not None
        jumps = [
            after.start_sec - before.start_sec - before.samples.shape[1] / rate_hz
            for before, after in pairwise(blocks)
        ]
        assert sum(jump > 0.01 for jump in jumps) == 1
        assert find_loud_sec(blocks, rate_hz) == pytest.approx(3.0, abs=1e-3)
    assert reading.summary.failed_sound_packets == 1
    notes = " ".join(reading.summary.notes)
    assert "did not decode: 1." in notes
    assert "sound is missing: 1." in notes


def test_c6_sound_of_which_nothing_decodes_is_empty(tmp_path: Path) -> None:
    whole = make_media(tmp_path / "s.mkv", ClipSound(build_tone(1.0), codec="flac"))
    path = damage_packets(whole, tmp_path / "d.mkv", range(11), kind="audio")
    media = open_pass(path, sounds={"ears": SoundRequest()})
    media.start()
    sound = media.sound("ears")
    assert sound is not None
    assert sound.is_empty()
    assert list(sound) == []
    with pytest.raises(BadMediaError):
        media.wait_until_decoded()
    media.finish()


def test_numbers_that_are_not_finite_become_silence_and_are_counted(tmp_path: Path) -> None:
    samples = build_tone(0.5)
    samples[0, 100:110] = np.nan
    samples[0, 200] = np.inf
    path = make_sound(tmp_path / "s.wav", samples, codec="pcm_f32le")
    reading = read_media(path, sounds={"ears": SoundRequest()})
    blocks = reading.sounds["ears"]
    assert blocks is not None
    joined = join(blocks)
    assert np.isfinite(joined).all()
    assert not joined[0, 100:110].any()
    assert any("set to 0: 11." in note for note in reading.summary.notes)


def test_a_change_of_rate_and_layout_part_way_is_brought_to_the_first_form() -> None:
    converter = SoundConverter(SoundRequest())
    blocks: list[SoundBlock] = []
    start = Fraction(0)
    for rate_hz, layout, channels in ((8000, "stereo", 2), (16000, "mono", 1), (8000, "5.1", 6)):
        samples = np.full((1, rate_hz * channels), 0.25, np.float32)
        frame = av.AudioFrame.from_ndarray(samples, "flt", layout)
        frame.sample_rate = rate_hz
        if not converter.rate_hz:
            converter.open(frame)
        blocks += converter.add(frame, start, is_new_stretch=False)
        start += 1
    blocks += converter.flush()
    assert (converter.rate_hz, converter.channel_layout) == (8000, "stereo")
    assert join(blocks).shape == (2, 24000)
    assert [block.start_sec for block in blocks] == [0.0, 1.0, 2.0]


def test_small_jitter_is_counted_through_and_a_hole_is_not() -> None:
    clock = SoundClock()
    packet = Fraction(1024, 48000)
    assert clock.place(Fraction(5), 1024, 48000) == (Fraction(5), True)
    jittered = Fraction(5) + packet + Fraction(1, 1000)
    assert clock.place(jittered, 1024, 48000) == (Fraction(5) + packet, False)
    assert clock.place(None, 1024, 48000) == (Fraction(5) + 2 * packet, False)
    assert clock.place(Fraction(4), 1024, 48000) == (Fraction(5) + 3 * packet, False)
    after_hole = Fraction(5) + 5 * packet
    assert clock.place(after_hole, 1024, 48000) == (after_hole, True)
    assert clock.gaps == 1


def test_corpus_sound_has_the_length_of_the_index(media_corpus: Path) -> None:
    for name, samples in (
        ("audio/click_120bpm.flac", 441000),
        ("audio/ebu_seq-3341-15-24bit.wav", 153600),
        ("audio/music_vibe_ace.ogg", 2710336),
        ("audio/speech_jfk.flac", 176000),
        ("video/bigbuckbunny.mp4", 254976),
    ):
        reading = read_media(media_corpus / name, sounds={"ears": SoundRequest()})
        blocks = reading.sounds["ears"]
        assert blocks is not None
        total = sum(block.samples.shape[1] for block in blocks)
        assert total == reading.summary.decoded_samples
        if "jfk" not in name:
            assert total == samples
        assert not reading.summary.notes, name
