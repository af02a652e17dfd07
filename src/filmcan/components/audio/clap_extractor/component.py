"""CLAP embeddings of the sound: one for each 10 s, and one for the whole.

Runs by the pipeline, once per video. The reference takes a random 10 s of a longer sound; here
every 10 s is embedded, one after the other, so that the result can be had again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from filmcan.components.audio.chunks import SoundChunks
from filmcan.components.audio.clap_extractor.audio_tower import AUDIO_FILE, AudioTower
from filmcan.components.audio.clap_extractor.log_mel import RATE_HZ, WINDOW_SAMPLES
from filmcan.components.base import Component, Inputs, Parameters, Resources, Result
from filmcan.components.network_form import find_missing_part, plan_networks
from filmcan.components.parameters import get_text
from filmcan.components.unit_vectors import compare_neighbours, find_mean_direction
from filmcan.contract.manifest import Kind
from filmcan.contract.missing import AUDIO_MISSING, build_feature_names
from filmcan.media.sound import SoundRequest
from filmcan.models.weights import get_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filmcan.contract.model_used import ModelUsed
    from filmcan.models.execution import Execution

LEAST_TAIL_SAMPLES = RATE_HZ
"""A rest shorter than a second says too little of its own and is left out."""


class ClapExtractor(Component):
    """Embeds the sound, mixed to mono."""

    name: ClassVar[str] = "clap_extractor"
    kind: ClassVar[Kind] = "audio"
    schema_version: ClassVar[str] = "audio_npz_v1"
    producer_version: ClassVar[str] = "1.0.0"
    resources: ClassVar[Resources] = Resources(gpus=0.25, memory_mib=400)

    def __init__(self, parameters: Parameters) -> None:
        """Check the parameters.

        Raises:
            BadProfileError: A parameter is missing or of another form; the message names it.
        """
        super().__init__(parameters)
        self._model = get_text(parameters, "model")

    def find_missing_dependency(self) -> str | None:
        """Name what is missing: a package, or the weights."""
        return find_missing_part(self._model, (AUDIO_FILE,))

    def plan_models(self, execution: Execution) -> tuple[ModelUsed, ...]:
        """Name the network that would run."""
        return plan_networks(self._model, (AUDIO_FILE,), execution)

    def sound_request(self) -> SoundRequest:
        """Ask for mono at the rate the network was trained at."""
        return SoundRequest(rate_hz=RATE_HZ, mono=True)

    def run(self, inputs: Inputs) -> Result:
        """Measure the sound; empty when there is none."""
        if inputs.sound is None or inputs.sound.is_empty():
            return Result("empty", empty_reason=AUDIO_MISSING)
        tower = AudioTower(get_weights(self._model), inputs.execution)
        chunks = SoundChunks(inputs.sound, WINDOW_SAMPLES)
        segments = _embed_segments(chunks, tower)
        return Result(
            "ok",
            arrays=_build_arrays(segments, chunks),
            models_used=(tower.used,),
            device_used=tower.used.device,
            notes=(*tower.notes, *_build_notes(chunks)),
        )


@dataclass(frozen=True, slots=True)
class _Segment:
    """One stretch of sound that was embedded.

    Attributes:
        start: Number of its first sample.
        length: Samples of real sound in it.
        vector: float32[D], length 1.
        is_silent: True when nothing in it rises above the spectrogram's floor.
    """

    start: int
    length: int
    vector: NDArray[np.float32]
    is_silent: bool


def _embed_segments(chunks: SoundChunks, tower: AudioTower) -> list[_Segment]:
    segments: list[_Segment] = []
    start = 0
    for chunk in chunks:
        samples = chunk[0]
        if not segments or samples.size >= LEAST_TAIL_SAMPLES:
            segments.append(_Segment(start, samples.size, *tower.embed(samples)))
        start += samples.size
    return segments


def _build_arrays(segments: list[_Segment], chunks: SoundChunks) -> dict[str, np.ndarray]:
    starts = np.array([segment.start for segment in segments])
    lengths = np.array([segment.length for segment in segments])
    vectors = np.stack([segment.vector for segment in segments])
    direction, _ = find_mean_direction(vectors, lengths.astype(np.float64))
    neighbours = compare_neighbours(vectors)[1:].astype(np.float64)
    silent = np.array([segment.is_silent for segment in segments])
    features = {
        "segment_count": float(len(segments)),
        "silent_segment_count": float(silent.sum()),
        "segment_cosine_prev_mean": float(neighbours.mean()) if neighbours.size else math.nan,
        "duration_sec": chunks.sample_count / RATE_HZ,
    }
    ends_sec = chunks.times_at(starts + lengths - 1) + 1 / RATE_HZ
    return {
        "feature_names": build_feature_names(list(features)),
        "feature_values": np.array(list(features.values()), np.float32),
        "embedding": np.full_like(vectors[0], np.nan) if direction is None else direction,
        "embedding_present": np.array(direction is not None),
        "segment_start_sec": chunks.times_at(starts).astype(np.float32),
        "segment_end_sec": ends_sec.astype(np.float32),
        "segment_embeddings": vectors,
        "segment_present": np.ones(len(segments), np.bool_),
        "segment_silent": silent,
    }


def _build_notes(chunks: SoundChunks) -> tuple[str, ...]:
    if not chunks.repaired_count:
        return ()
    told = f"{chunks.repaired_count} samples were not finite or beyond +60 dBFS"
    return (f"{told}; they were read as zero or limited.",)
