"""CLIP embeddings of sampled frames and their agreement with text prompts.

Runs by the pipeline, once per video: each frame becomes a unit vector in the space that CLIP's
two towers share, and zero-shot scores compare it with the prompts of the profile.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from filmcan.components.base import Component, Inputs, Parameters, Resources, Result
from filmcan.components.network_form import find_missing_part, plan_networks
from filmcan.components.parameters import get_text
from filmcan.components.unit_vectors import compare_neighbours, find_mean_direction
from filmcan.components.visual.core_clip.image_tower import VISION_FILE, ImageTower
from filmcan.components.visual.core_clip.prompts import Prompt, parse_prompts
from filmcan.components.visual.core_clip.text_tower import (
    TEXT_FILE,
    TEXT_TOWERS,
    TOKENIZER_FILE,
    EmbeddedTexts,
)
from filmcan.components.visual.core_clip.zero_shot import score_prompts
from filmcan.components.visual.sampled import SampledFrames
from filmcan.contract.manifest import Kind
from filmcan.contract.missing import VIDEO_MISSING, build_feature_names
from filmcan.media.frames import FrameRequest, FrameView
from filmcan.models.weights import get_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from filmcan.contract.model_used import ModelUsed
    from filmcan.media.frames import FrameStream
    from filmcan.models.execution import Execution

_FILES = (VISION_FILE, TEXT_FILE, TOKENIZER_FILE)
_LEAST_FOR_SPREAD = 2


class CoreClip(Component):
    """Embeds sampled frames and compares them with prompts."""

    name: ClassVar[str] = "core_clip"
    kind: ClassVar[Kind] = "core"
    schema_version: ClassVar[str] = "core_clip_npz_v1"
    producer_version: ClassVar[str] = "1.0.0"
    resources: ClassVar[Resources] = Resources(gpus=0.25, memory_mib=900)

    def __init__(self, parameters: Parameters) -> None:
        """Check the parameters.

        Raises:
            BadProfileError: A parameter is missing or of another form; the message names it.
        """
        super().__init__(parameters)
        self._model = get_text(parameters, "model")
        self._prompts = parse_prompts(parameters, "prompts")

    def find_missing_dependency(self) -> str | None:
        """Name what is missing: a package, or the weights."""
        return find_missing_part(self._model, _FILES, "tokenizers", "PIL")

    def plan_models(self, execution: Execution) -> tuple[ModelUsed, ...]:
        """Name the towers that would run."""
        files = (VISION_FILE, TEXT_FILE) if self._prompts else (VISION_FILE,)
        return plan_networks(self._model, files, execution)

    def frame_request(self) -> FrameRequest:
        """Ask for whole pictures: the reference shrinks them itself, with antialiasing."""
        return FrameRequest(view=FrameView(pixels="rgb"))

    def run(self, inputs: Inputs) -> Result:
        """Measure one video; empty when no frame decoded."""
        if inputs.frames is None:
            return Result("empty", empty_reason=VIDEO_MISSING)
        weights = get_weights(self._model)
        # The text tower first: it is gone again when the image tower needs memory.
        texts = None
        if self._prompts:
            wanted = [prompt.text for prompt in self._prompts]
            texts = TEXT_TOWERS.embed(weights, wanted, inputs.execution)
        tower = ImageTower(weights, inputs.execution)
        sampled = _read_frames(inputs.frames, tower)
        if not sampled.decoded:
            return Result("empty", arrays=sampled.build(), empty_reason=VIDEO_MISSING)
        used = (tower.used,) if texts is None else (tower.used, texts.used)
        notes = tower.notes if texts is None else (*tower.notes, *texts.notes)
        return Result(
            "ok",
            arrays=_build_arrays(sampled, tower.finish(), self._prompts, texts),
            models_used=used,
            device_used=tower.used.device,
            notes=tuple(dict.fromkeys(notes)),
        )


def _read_frames(frames: FrameStream, tower: ImageTower) -> SampledFrames:
    sampled = SampledFrames()
    for sample in frames:
        sampled.add(sample)
        if sample.image is not None:
            tower.add(sample.image)
    return sampled


def _build_arrays(
    sampled: SampledFrames,
    embeddings: NDArray[np.float32],
    prompts: Sequence[Prompt],
    texts: EmbeddedTexts | None,
) -> dict[str, np.ndarray]:
    arrays = sampled.build()
    dims = embeddings.shape[1]
    frames = np.full((len(sampled), dims), np.nan, np.float32)
    frames[arrays["frame_present"]] = embeddings
    direction, coherence = find_mean_direction(embeddings)
    neighbours = compare_neighbours(frames)
    vectors = np.zeros((0, dims), np.float32) if texts is None else texts.vectors
    scores = score_prompts(frames, vectors, prompts)
    features = _build_features(embeddings, coherence, neighbours)
    for prompt, score in zip(prompts, np.nanmean(scores, axis=0).tolist(), strict=True):
        features[f"prompt_score_mean: {prompt.group}: {prompt.text}"] = score
    arrays.update(
        frame_embeddings=frames,
        video_embedding=np.full(dims, np.nan, np.float32) if direction is None else direction,
        video_embedding_present=np.array(direction is not None),
        consecutive_cosine_prev=neighbours,
        prompts=np.array([prompt.text for prompt in prompts], dtype=np.str_),
        prompt_groups=np.array([prompt.group for prompt in prompts], dtype=np.str_),
        prompt_embeddings=vectors,
        prompt_scores=scores,
        feature_names=build_feature_names(list(features)),
        feature_values=np.array(list(features.values()), np.float32),
    )
    return arrays


def _build_features(
    embeddings: NDArray[np.float32], coherence: float, neighbours: NDArray[np.float32]
) -> dict[str, float]:
    """Return the features that do not depend on prompts, in the schema's order."""
    cosines = neighbours[~np.isnan(neighbours)].astype(np.float64)
    return {
        "clip_frame_count": float(len(embeddings)),
        "video_coherence": coherence,
        "consecutive_cosine_mean": float(cosines.mean()) if cosines.size else math.nan,
        "consecutive_cosine_std": (
            float(cosines.std()) if cosines.size >= _LEAST_FOR_SPREAD else math.nan
        ),
        "consecutive_cosine_min": float(cosines.min()) if cosines.size else math.nan,
    }
