"""Memory does not grow with the length of the source, and a video is decoded once."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import av
import pytest

from filmcan.operations.process import process_video
from filmcan.testing.made_media import ClipSound, ClipVideo, build_tone, make_media

_MEGABYTE = 1_000_000


def repeat_media(source: Path, target: Path, times: int) -> Path:
    """Write the packets of a file again and again, each round later than the one before."""
    with av.open(str(target), "w") as output:
        with av.open(str(source)) as once:
            streams = {
                stream.index: output.add_stream_from_template(stream) for stream in once.streams
            }
            round_sec = max(stream.duration * stream.time_base for stream in once.streams)
        for number in range(times):
            with av.open(str(source)) as again:
                for packet in again.demux():
                    if packet.dts is None or (number and packet.dts < 0):
                        continue  # the end of file; the encoder's run-in, once is enough
                    offset = round(number * round_sec / packet.time_base)
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = streams[packet.stream.index]
                    output.mux(packet)
    return target


def _measure_peak(source: Path, store: Path, sender: object) -> None:
    run = process_video(source, store=store)
    record = run.manifest.run
    sender.send((record.peak_rss_bytes, record.source, run.status))  # type: ignore[attr-defined]


def measure_peak(source: Path, store: Path) -> tuple[int, int, int]:
    """Return the peak memory of a fresh process that runs a source, frames, and those decoded."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe()
    child = context.Process(target=_measure_peak, args=(source, store, sender))
    child.start()
    peak, found, status = receiver.recv()
    child.join()
    assert status == "ok"
    return peak, found["frame_count"], found["decoded_frames"]


@pytest.mark.slow
def test_memory_stays_flat_over_ten_minutes_and_no_frame_is_decoded_twice(
    tmp_path: Path,
) -> None:
    sound = ClipSound(build_tone(6.0, channels=2), layout="stereo")
    video = ClipVideo(frames=150, rate_hz=25, size=(1280, 720), options={"preset": "ultrafast"})
    short = make_media(tmp_path / "short.mp4", video, sound)
    minute = repeat_media(short, tmp_path / "minute.mp4", 10)
    ten_minutes = repeat_media(short, tmp_path / "ten.mp4", 100)
    minute_peak, *minute_frames = measure_peak(minute, tmp_path / "store")
    ten_peak, *ten_frames = measure_peak(ten_minutes, tmp_path / "store")
    assert (minute_frames[0], ten_frames[0]) == (1500, 15000)
    assert minute_frames[1] <= 1500
    assert ten_frames[1] <= 15000
    assert minute_peak < 500 * _MEGABYTE
    assert ten_peak <= 1.15 * minute_peak
