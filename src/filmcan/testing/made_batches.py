"""A batch with everything that can go wrong in it: made clips, broken ones, poison.

`install_poison` makes one component die, hang or eat memory on the clips that are named for it; a
script that calls it at module level does so in its worker processes too.
"""

from __future__ import annotations

import csv
import os
import signal
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.testing.made_media import ClipSound, ClipVideo, build_tone, make_media

if TYPE_CHECKING:
    from filmcan.components.base import Component, Inputs, Result

CRASH, HANG, HOG = "crash.mp4", "hang.mp4", "hog.mp4"
_HOG_STEP_BYTES = 16 << 20


def make_batch(
    folder: Path, videos: int, *, distinct: int, broken: int, poison: tuple[str, ...]
) -> Path:
    """Write clips and a list of them, and return the list.

    Args:
        folder: Where all of it goes.
        videos: How many videos the list has.
        distinct: How many different clips there are.
        broken: How many of the videos cannot be opened at all.
        poison: Names of clips that `install_poison` knows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clips = [_make_clip(folder, f"clip{number:02d}.mp4", number) for number in range(distinct)]
    for number, name in enumerate(poison):
        _make_clip(folder, name, distinct + number)
    healthy = videos - broken - len(poison)
    rows = [(clips[number % distinct], f"v{number:03d}") for number in range(healthy)]
    for number in range(broken):
        name = f"broken{number}.mp4"
        (folder / name).write_bytes(f"no media {number} ".encode() * 100)
        rows.append((name, f"broken{number}"))
    rows += [(name, name.partition(".")[0]) for name in poison]
    # Poison comes early: it is met while much else is under way.
    rows.sort(key=lambda row: hash_place(row[1]))
    path = folder / "videos.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("source", "platform_id", "video_id"))
        writer.writerows((source, "made", video) for source, video in rows)
    return path


def hash_place(video_id: str) -> int:
    """Return where a video comes in the list: mixed, the same each time, poison first."""
    if not video_id.startswith(("v", "b")):
        return 0
    return 1 + zlib.crc32(video_id.encode())


def _make_clip(folder: Path, name: str, number: int) -> str:
    frames = 12 + 3 * (number % 9)
    sound = ClipSound(build_tone(frames / 25, hz=220.0 + 30 * number, channels=1), layout="mono")
    size = (96 + 16 * (number % 3), 64)
    make_media(folder / name, ClipVideo(frames=frames, rate_hz=25, size=size), sound)
    return name


def install_poison() -> None:
    """Have optical flow die on `CRASH`, hang on `HANG` and eat memory on `HOG`."""
    from filmcan.components.catalog import get_component_class
    from filmcan.pipeline import plan

    original = get_component_class("core_optical_flow")

    class Poisoned(original):  # type: ignore[misc,valid-type]
        def run(self, inputs: Inputs) -> Result:
            _act(inputs.probe.name)
            return super().run(inputs)  # type: ignore[no-any-return]

    def choose(name: str) -> type[Component]:
        return Poisoned if name == "core_optical_flow" else get_component_class(name)

    plan.get_component_class = choose  # type: ignore[attr-defined]


def _act(name: str) -> None:
    if name == CRASH:
        os.kill(os.getpid(), signal.SIGSEGV)
    elif name == HANG:
        threading.Event().wait()
    elif name == HOG:
        eaten = []
        while True:
            eaten.append(bytearray(os.urandom(1) * _HOG_STEP_BYTES))
            threading.Event().wait(0.005)
