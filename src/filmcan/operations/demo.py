"""A real clip from end to end: fetch, run, validate. The verb behind `filmcan demo`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from filmcan.operations.assets import ignore, pull_assets
from filmcan.operations.process import process_video
from filmcan.operations.validation import Verdict, validate_target

if TYPE_CHECKING:
    from filmcan.pipeline.job import Observer
    from filmcan.store.run import Run

SAMPLE_ASSET = "sample_bigbuckbunny"
SAMPLE_FILE = "bigbuckbunny.mp4"
DEMO_STORE = "demo_store"

SAMPLE_DOCUMENT: Mapping[str, object] = {
    "title": "Big Buck Bunny: the meadow",
    "description": "Five seconds of the open film Big Buck Bunny. "
    "(c) 2008 Blender Foundation, https://www.bigbuckbunny.org #animation",
    "tags": ["animation", "open film", "rabbit"],
    "comments": [
        {"text": "The fur still looks great after all these years!", "likes": 12},
        {"text": "Какой же он милый, этот кролик 🐰", "likes": 7},
        {"text": "Which scene is this from?", "likes": 1},
    ],
    # What is seen, told as an audio description would: the clip has no speech.
    "transcript": [
        {"start_sec": 0.0, "end_sec": 2.0, "text": "A big rabbit comes out of his burrow"},
        {"start_sec": 2.0, "end_sec": 5.0, "text": "in a sunny meadow. He stretches and yawns."},
    ],
    "language": "en",
}


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo did: the clip it fetched, the run it made, what validation says of it."""

    clip: Path
    run: Run
    verdict: Verdict


def run_demo(
    store: str | Path = DEMO_STORE,
    *,
    observer: Observer | None = None,
    on_fetch: Callable[[str], None] = ignore,
) -> DemoResult:
    """Fetch the sample clip when it is not cached, run all components on it, validate the run.

    Args:
        store: Folder for the run.
        observer: Is told how the run goes on.
        on_fetch: Takes a sentence on each step of the fetch.

    Raises:
        AssetError: The clip cannot be fetched, or its bytes are not those of the catalog.
        FilmcanError: As `process_video`.
    """
    clip = pull_assets([SAMPLE_ASSET], on_step=on_fetch)[SAMPLE_ASSET][SAMPLE_FILE]
    with TemporaryDirectory() as folder:  # the cache names files by digest
        named = Path(shutil.copyfile(clip, Path(folder, SAMPLE_FILE)))
        run = process_video(
            named,
            store=store,
            platform_id="demo",
            video_id=SAMPLE_ASSET,
            document=SAMPLE_DOCUMENT,
            observer=observer,
        )
    run_folder = Path(store).joinpath(*run.path.split("/"))
    return DemoResult(clip, run, validate_target(str(run_folder)))
