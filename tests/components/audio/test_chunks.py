"""Regrouping a sound stream."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from filmcan.components.audio.chunks import MAX_LEVEL, SoundChunks
from filmcan.errors import InternalError
from filmcan.media.sound import SoundBlock
from filmcan.testing.fake_media import FakeSound


class BlockList:
    """A stream of given blocks at 1000 Hz."""

    rate_hz = 1000
    channel_layout = "mono"

    def __init__(self, *blocks: SoundBlock) -> None:
        self._blocks = blocks

    def __iter__(self) -> Iterator[SoundBlock]:  # noqa: D105 - as the protocol says
        return iter(self._blocks)

    def is_empty(self) -> bool:
        return not self._blocks


def block(start_sec: float, count: int, *, channels: int = 1) -> SoundBlock:
    return SoundBlock(np.ones((channels, count), np.float32), start_sec)


@pytest.mark.parametrize("block_sizes", [(1,), (7, 13), (100,), (1000,)])
def test_chunks_hold_the_same_samples_however_the_blocks_fall(block_sizes: tuple[int, ...]) -> None:
    samples = np.arange(2 * 950, dtype=np.float32).reshape(2, 950) / 4096
    chunks = SoundChunks(FakeSound(samples, 1000, block_sizes=block_sizes), 100)
    parts = [chunk.copy() for chunk in chunks]
    assert [part.shape for part in parts] == [(2, 100)] * 9 + [(2, 50)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), samples)
    assert chunks.sample_count == 950
    assert chunks.channel_count == 2


def test_a_stream_without_samples_gives_no_chunk() -> None:
    chunks = SoundChunks(BlockList(block(0.0, 0)), 100)
    assert list(chunks) == []
    assert chunks.sample_count == 0


def test_samples_play_from_the_start_of_the_first_block_on() -> None:
    chunks = SoundChunks(BlockList(block(-0.5, 300), block(-0.2, 300)), 100)
    list(chunks)
    np.testing.assert_allclose(chunks.times_at(np.array([0, 299, 500])), [-0.5, -0.201, 0.0])


def test_a_gap_between_blocks_is_kept_and_an_overlap_is_not() -> None:
    chunks = SoundChunks(BlockList(block(0.0, 100), block(1.0, 100), block(0.5, 100)), 64)
    list(chunks)
    times = chunks.times_at(np.arange(300))
    np.testing.assert_allclose(times[[99, 100, 200, 299]], [0.099, 1.0, 1.1, 1.199])
    assert (np.diff(times) > 0).all()


def test_samples_that_no_recording_holds_are_repaired_and_counted() -> None:
    samples = np.array([0.5, np.nan, np.inf, -np.inf, 1e30, -2.0], np.float32)
    chunks = SoundChunks(FakeSound(samples, 1000), 100)
    (chunk,) = [part.copy() for part in chunks]
    np.testing.assert_array_equal(
        chunk[0], np.array([0.5, 0.0, 0.0, 0.0, MAX_LEVEL, -2.0], np.float32)
    )
    assert chunks.repaired_count == 4


def test_a_change_of_channels_within_a_stream_is_refused() -> None:
    chunks = SoundChunks(BlockList(block(0.0, 10), block(0.01, 10, channels=2)), 100)
    with pytest.raises(InternalError, match="2 channels, the first had 1"):
        list(chunks)
