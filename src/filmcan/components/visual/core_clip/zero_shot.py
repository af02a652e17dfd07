"""How well each frame agrees with each prompt, within the prompt's group.

Called by `component.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.visual.core_clip.prompts import Prompt

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOGIT_SCALE = 100.0
"""What CLIP was trained up to: the cosine is multiplied by it before the softmax.
Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
2021, section 2.5 (the logit scale is clipped at 100)."""


def score_prompts(
    frames: NDArray[np.float32], texts: NDArray[np.float32], prompts: Sequence[Prompt]
) -> NDArray[np.float32]:
    """Return the softmax of scaled cosines over the prompts of each group.

    Args:
        frames: float32[N, D], each of length 1, or NaN.
        texts: float32[P, D], each of length 1.
        prompts: P of them; those of one group stand together.

    Returns:
        float32[N, P], 0..1, sums to 1 over a group; NaN for a frame of NaN.
    """
    logits = LOGIT_SCALE * (frames.astype(np.float64) @ texts.astype(np.float64).T)
    groups = np.array([prompt.group for prompt in prompts])
    scores = np.empty(logits.shape, np.float32)
    for group in dict.fromkeys(groups.tolist()):
        columns = groups == group
        part = logits[:, columns]
        weights = np.exp(part - part.max(axis=1, keepdims=True))
        scores[:, columns] = weights / weights.sum(axis=1, keepdims=True)
    return scores
