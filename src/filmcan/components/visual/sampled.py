"""Which frames were sampled: the time axis of a visual artifact, grown sample by sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from filmcan.media.frames import FrameSample


class SampledFrames:
    """The keys `frame_indices`, `times_sec` and `frame_present`."""

    def __init__(self) -> None:
        """Start with no sample."""
        self._indices: list[int] = []
        self._times_sec: list[float] = []
        self._present: list[bool] = []

    def __len__(self) -> int:
        """Count the samples, decoded or not."""
        return len(self._indices)

    @property
    def decoded(self) -> int:
        """Number of samples that decoded."""
        return sum(self._present)

    def add(self, sample: FrameSample) -> None:
        """Take the next sample, decoded or not."""
        self._indices.append(sample.index)
        self._times_sec.append(sample.time_sec)
        self._present.append(sample.image is not None)

    def build(self) -> dict[str, np.ndarray]:
        """Return the three arrays: int32[N], float32[N] in seconds, bool[N]."""
        return {
            "frame_indices": np.array(self._indices, dtype=np.int32),
            "times_sec": np.array(self._times_sec, dtype=np.float32),
            "frame_present": np.array(self._present, dtype=np.bool_),
        }
