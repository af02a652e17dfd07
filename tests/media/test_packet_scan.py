"""What the packets promise, before anything is decoded."""

from __future__ import annotations

from pathlib import Path

import pytest

from filmcan.errors import BadMediaError
from filmcan.media.limits import Limits
from filmcan.media.packet_scan import PacketScan, scan_packets
from filmcan.media.source_file import find_source
from filmcan.testing.made_media import ClipVideo, cut_file, make_clip, make_media
from filmcan.testing.media_reading import ALL_FRAMES, TEST_LIMITS, read_media

B_FRAMES = {"bf": "2", "g": "12"}


def scan(path: Path, limits: Limits = TEST_LIMITS) -> PacketScan:
    return scan_packets(find_source(path), 0, limits, lambda: False)


def in_ms(found: PacketScan) -> list[float]:
    return [float(tick * found.tick_sec * 1000) for tick in found.ticks]


def test_times_are_sorted_although_b_frames_are_coded_out_of_order(tmp_path: Path) -> None:
    found = scan(make_clip(tmp_path / "clip.mp4", frames=30, options=B_FRAMES))
    assert found.is_stamped
    assert in_ms(found) == pytest.approx([40 * number for number in range(30)])
    assert found.notes == ()
    assert not found.doubtful


def test_decoding_for_a_frame_restarts_at_the_keyframe_before_it(tmp_path: Path) -> None:
    options = {**B_FRAMES, "sc_threshold": "0", "bf": "0"}
    found = scan(make_clip(tmp_path / "clip.mp4", frames=30, options=options))
    ticks = found.ticks
    assert [found.find_restart(ticks[number]) for number in (0, 11, 12, 23, 24, 29)] == [
        0, 0, 12, 12, 24, 24,
    ]  # fmt: skip
    assert found.find_restart(ticks[0] - 1) == 0


def test_frames_outside_an_edit_list_are_not_expected(tmp_path: Path) -> None:
    """The first 200 ms are cut off by the container, not from its data."""
    path = make_clip(tmp_path / "clip.mp4", frames=30, options={"bf": "0", "g": "30"})
    data = bytearray(path.read_bytes())
    place = data.index(b"elst")
    version_and_count = data[place + 4 : place + 12]
    assert version_and_count == bytes([0, 0, 0, 0, 0, 0, 0, 1])
    media_time = place + 16
    timescale = data.index(b"mdhd") + 16
    rate = int.from_bytes(data[timescale : timescale + 4], "big")
    data[media_time : media_time + 4] = (rate // 5).to_bytes(4, "big")
    path.write_bytes(data)
    found = scan(path)
    assert len(found.ticks) == 25
    reading = read_media(path, ALL_FRAMES)
    assert reading.summary.decoded_frames == 25
    samples = reading.frames["eyes"]
    assert samples is not None
    assert [item.index for item in samples] == list(range(25))


def test_frames_of_the_index_beyond_the_end_of_the_file_are_doubtful(tmp_path: Path) -> None:
    video = ClipVideo(frames=60, size=(320, 240), options=B_FRAMES)
    whole = make_media(tmp_path / "whole.mp4", video, options={"movflags": "+faststart"})
    found = scan(cut_file(whole, tmp_path / "cut.mp4", 0.7))
    assert in_ms(found) == pytest.approx([40 * number for number in range(60)])
    assert found.doubtful
    assert set(found.ticks) >= found.doubtful
    assert found.last_packet_tick < found.ticks[-1]
    assert len(found.notes) == 1


def test_a_raw_stream_takes_its_times_from_the_frame_rate(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.h264", frames=20, rate_hz=50)
    found = scan(path)
    assert not found.is_stamped
    assert in_ms(found) == pytest.approx([20 * number for number in range(20)])
    assert "rate of 50 Hz" in found.notes[0]


def test_recordings_put_end_to_end_take_their_times_from_the_frame_rate(tmp_path: Path) -> None:
    parts = [make_clip(tmp_path / f"{number}.ts", frames=20) for number in range(3)]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    found = scan(joined)
    assert not found.is_stamped
    samples = read_media(joined, ALL_FRAMES).frames["eyes"]
    assert samples is not None
    assert [item.time_sec for item in samples] == pytest.approx(
        [number / 25 for number in range(len(samples))]
    )
    assert len(samples) == 60


def test_the_scan_stops_when_there_are_too_many_packets(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=30)
    limits = Limits(1.0, 10**6, 10, 10**6, max_frames_per_mib=10)
    with pytest.raises(BadMediaError, match="max_frames_per_mib"):
        scan(path, limits)


def test_the_scan_stops_when_told_to(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=30)
    found = scan_packets(find_source(path), 0, TEST_LIMITS, lambda: True)
    assert len(found.ticks) == 0
