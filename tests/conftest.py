"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from filmcan.testing.made_media import ClipSound, ClipVideo, build_tone, make_media

# A busy machine is no failure; `make fuzz` takes many more examples.
settings.register_profile("filmcan", settings(), deadline=None)
settings.register_profile("fuzz", settings(), deadline=None, max_examples=5000)
settings.load_profile("filmcan")

_REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def media_corpus() -> Path:
    """Return the folder of real media with known truths; skip where it is not at hand."""
    named = os.environ.get("FILMCAN_MEDIA_CORPUS")
    folder = Path(named) if named else _REPOSITORY.parent / "shared" / "media"
    if not (folder / "index.json").is_file():
        pytest.skip("the media corpus is not here; set FILMCAN_MEDIA_CORPUS to its folder")
    return folder


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a short made clip: 2 s of a changing picture with a tone."""
    path = tmp_path_factory.mktemp("media") / "clip.mp4"
    sound = ClipSound(build_tone(2.0, hz=440.0, channels=2), layout="stereo")
    return make_media(path, ClipVideo(frames=50, rate_hz=25, size=(160, 96)), sound)
