"""A pass holds a few frames, however long the video is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from filmcan.testing.made_media import (
    ClipSound,
    ClipVideo,
    build_tone,
    make_media,
    paint_number,
)

SIZE = (320, 180)

READER = """
import json, re, sys, threading
from pathlib import Path
from filmcan.media.frames import FrameRequest, FrameView
from filmcan.media.sound import SoundRequest
from filmcan.media.timeline import Sampling
from filmcan.testing.media_reading import open_pass
media = open_pass(
    Path(sys.argv[1]),
    {"eyes": FrameRequest(FrameView("gray", max_width=256), with_previous=True)},
    {"ears": SoundRequest()},
    sampling=Sampling("uniform_v1", 2.0, 400),
)
media.start()
ears = threading.Thread(target=lambda: [None for _ in media.sound("ears")])
ears.start()
count = sum(1 for _ in media.frames("eyes"))
ears.join()
summary = media.finish()
# Not getrusage: its maximum includes the parent's memory at the time of the fork.
peak_kib = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
print(json.dumps({"samples": count, "decoded": summary.decoded_frames, "peak_mb": peak_kib / 1024}))
"""


def measure(path: Path) -> dict[str, float]:
    command = [sys.executable, "-c", READER, str(path)]
    environment = {"PYTHONPATH": ":".join(item for item in sys.path if item)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def make(path: Path, seconds: int) -> Path:
    pictures = [paint_number(number, SIZE) for number in range(8)]
    video = ClipVideo(
        frames=seconds * 4, rate_hz=4, size=SIZE, options={"preset": "ultrafast", "g": "25"},
        paint=lambda number: pictures[number % 8],
    )  # fmt: skip
    sound = ClipSound(build_tone(seconds, rate_hz=8000), rate_hz=8000, codec="pcm_s16le")
    return make_media(path, video, sound)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from /proc")
def test_memory_does_not_grow_with_the_duration(tmp_path: Path) -> None:
    short = measure(make(tmp_path / "short.mkv", 15))
    long = measure(make(tmp_path / "long.mkv", 150))
    assert (short["samples"], short["decoded"]) == (30, 60)
    assert (long["samples"], long["decoded"]) == (300, 600)
    assert long["peak_mb"] < short["peak_mb"] * 1.15
    assert long["peak_mb"] < 300
