"""Slow, absent, early and interrupted components never hold a pass up."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from filmcan.errors import BadMediaError, ComponentFailedError, InternalError
from filmcan.media.conversion import PictureConverter
from filmcan.media.decode import MediaPass
from filmcan.media.frames import FrameRequest, FrameView
from filmcan.media.probe import probe_source
from filmcan.media.sound import SoundRequest
from filmcan.testing.made_media import (
    ClipSound,
    ClipVideo,
    build_tone,
    make_clip,
    make_media,
)
from filmcan.testing.media_reading import (
    ALL_FRAMES,
    EVERY_FRAME,
    TEST_LIMITS,
    open_pass,
    read_media,
)

if TYPE_CHECKING:
    import numpy as np

WAIT_SEC = 20.0
"""Only reached when a test fails: nothing here waits on a clock."""


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Far more frames and sound than the channels hold."""
    folder = tmp_path_factory.mktemp("long")
    return make_media(
        folder / "clip.mp4", ClipVideo(frames=200, size=(64, 48)), ClipSound(build_tone(8.0))
    )


def in_thread(body: object, *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=body, args=arguments, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def assert_ends(thread: threading.Thread) -> None:
    thread.join(WAIT_SEC)
    assert not thread.is_alive()


def test_a_component_that_stops_early_holds_nobody_up(long_clip: Path) -> None:
    request = FrameRequest(FrameView("gray"))
    media = open_pass(long_clip, {"early": request, "late": request}, {"ears": SoundRequest()})
    media.start()
    early, late = media.frames("early"), media.frames("late")
    assert early is not None
    assert late is not None
    counts = []
    thread = in_thread(lambda: counts.append(len(list(late))))
    assert next(iter(early)).index == 0
    media.release("early")
    media.release("ears")
    assert_ends(thread)
    assert counts == [200]
    summary = media.finish()
    assert summary.decoded_frames == 200
    assert not summary.is_complete, "the sound was given up"


def test_a_component_that_never_comes_can_be_released_later(long_clip: Path) -> None:
    request = FrameRequest(FrameView("gray"))
    media = open_pass(long_clip, {"absent": request, "eager": request})
    media.start()
    eager = media.frames("eager")
    assert eager is not None
    stream = iter(eager)
    held = [next(stream).index for _ in range(3)]
    media.release("absent")
    assert held + [item.index for item in stream] == list(range(200))
    media.finish()


def test_when_all_are_released_decoding_stops(long_clip: Path) -> None:
    media = open_pass(long_clip, ALL_FRAMES, {"ears": SoundRequest()})
    media.start()
    frames = media.frames("eyes")
    assert frames is not None
    next(iter(frames))
    media.release("eyes")
    media.release("ears")
    summary = media.finish()
    assert summary.decoded_frames is not None
    assert summary.decoded_frames < 200
    assert not summary.is_complete


def test_finishing_with_components_that_never_came_does_not_hang(long_clip: Path) -> None:
    media = open_pass(long_clip, ALL_FRAMES, {"ears": SoundRequest()})
    media.start()
    thread = in_thread(media.finish)
    assert_ends(thread)


def test_a_cancellation_ends_all_threads_and_reaches_the_consumers(long_clip: Path) -> None:
    media = open_pass(long_clip, ALL_FRAMES, {"ears": SoundRequest()})
    media.start()
    frames, sound = media.frames("eyes"), media.sound("ears")
    assert frames is not None
    assert sound is not None
    stream = iter(frames)
    next(stream)
    media.cancel()
    assert not any(thread.is_alive() for thread in media._threads)
    for left in (stream, iter(sound)):
        with pytest.raises(ComponentFailedError) as raised:
            list(left)
        assert raised.value.code == "interrupted"


def test_a_pass_can_be_cancelled_before_it_starts(long_clip: Path) -> None:
    open_pass(long_clip, ALL_FRAMES).cancel()


def test_a_pass_that_never_started_cannot_be_finished(long_clip: Path) -> None:
    with pytest.raises(InternalError, match="before it was started"):
        open_pass(long_clip, ALL_FRAMES).finish()


def test_channels_of_one_item_suffice(long_clip: Path) -> None:
    request = FrameRequest(FrameView("gray"), with_previous=True)
    reading = read_media(
        long_clip, {"a": request, "b": replace(request, every=7)},
        {"c": SoundRequest(), "d": SoundRequest(rate_hz=8000, mono=True)}, queue_size=1,
    )  # fmt: skip
    counts = {name: len(samples or []) for name, samples in reading.frames.items()}
    assert counts == {"a": 200, "b": 29}


def test_an_error_inside_a_thread_surfaces_at_consumers_and_at_the_end(
    long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> np.ndarray:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(PictureConverter, "convert", fail)
    media = open_pass(long_clip, ALL_FRAMES, {"ears": SoundRequest()})
    media.start()
    frames = media.frames("eyes")
    assert frames is not None
    with pytest.raises(InternalError, match="a bug"):
        list(frames)
    with pytest.raises(InternalError, match="a bug"):
        media.finish()


def test_pictures_that_cannot_be_converted_leave_the_sound_alone(
    long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> np.ndarray:
        raise ValueError("no such format")

    monkeypatch.setattr(PictureConverter, "convert", refuse)
    media = open_pass(long_clip, ALL_FRAMES, {"ears": SoundRequest()})
    media.start()
    frames, sound = media.frames("eyes"), media.sound("ears")
    assert frames is not None
    assert sound is not None
    with pytest.raises(BadMediaError, match="pixel format yuv420p"):
        list(frames)
    assert sum(block.samples.shape[1] for block in sound) > 8 * 48000 - 4096
    media.finish()


def test_a_source_that_is_replaced_after_the_probe_is_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=10)
    probe = probe_source(path, TEST_LIMITS)
    make_clip(path, frames=20)
    with pytest.raises(BadMediaError) as refused:
        MediaPass(
            path, probe, sampling=EVERY_FRAME, limits=TEST_LIMITS, frame_requests=ALL_FRAMES,
            sound_requests={},
        )  # fmt: skip
    assert refused.value.code == "source_changed"


@pytest.mark.parametrize("sounds", [{}, {"ears": SoundRequest()}])
def test_progress_rises_to_1(long_clip: Path, sounds: dict[str, SoundRequest]) -> None:
    shares: list[float] = []
    read_media(long_clip, ALL_FRAMES, sounds, on_progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert 20 < len(shares) <= 201
