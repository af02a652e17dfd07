"""A pass holds a few frames, however long the video is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from filmcan.testing.made_media import ClipSound, ClipVideo, build_tone, make_media

READER = """
import json, resource, sys
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
import threading
ears = threading.Thread(target=lambda: [None for _ in media.sound("ears")])
ears.start()
count = sum(1 for _ in media.frames("eyes"))
ears.join()
summary = media.finish()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform != "darwin" else 1 / 1024)
print(json.dumps({"samples": count, "decoded": summary.decoded_frames, "peak_mb": peak / 1024}))
"""


def measure(path: Path) -> dict[str, float]:
    command = [sys.executable, "-c", READER, str(path)]
    environment = {"PYTHONPATH": ":".join(item for item in sys.path if item)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def make(path: Path, seconds: int) -> Path:
    video = ClipVideo(
        frames=seconds * 5, rate_hz=5, size=(640, 360), options={"preset": "ultrafast", "g": "25"}
    )
    return make_media(path, video, ClipSound(build_tone(seconds, rate_hz=8000), rate_hz=8000))


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_memory_does_not_grow_with_the_duration(tmp_path: Path) -> None:
    short = measure(make(tmp_path / "short.mp4", 20))
    long = measure(make(tmp_path / "long.mp4", 200))
    assert (short["samples"], short["decoded"]) == (40, 100)
    assert (long["samples"], long["decoded"]) == (400, 1000)
    assert long["peak_mb"] < short["peak_mb"] * 1.15
    assert long["peak_mb"] < 300
