"""A picture as CLIP's image tower takes it. Owns Pillow, the resizer of the reference.

Called by `image_tower.py`.
Source: openai/CLIP, `clip/clip.py`, `_transform`: resize the shorter side, bicubic with
antialiasing; cut out the centre; normalise each channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE_PX = 224

_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
_LEVELS = np.arange(256, dtype=np.float32)[:, None] / np.float32(255)
_NORMALISED = ((_LEVELS - _MEAN) / _STD).T.copy()
"""float32[3, 256], channel and 8-bit value -> what the network takes; computed in float32, in the
reference's order of steps, so that it agrees to the last bit."""

_MAX_ASPECT = 64
"""A picture longer than this many times its shorter side is cut to its middle before resizing:
the rest would be cut away afterwards in any case, but resized it could fill the memory."""


def prepare_picture(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the middle square of a picture, resized and normalised.

    Args:
        picture: uint8[h, w, 3], RGB.

    Returns:
        float32[3, 224, 224], about -1.8..2.7.
    """
    from PIL import Image

    picture = _cut_extremes(picture)
    height, width = picture.shape[:2]
    size = _find_size(width, height)
    resized = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    left, top = (round((side - SIDE_PX) / 2) for side in size)
    square = resized[top : top + SIDE_PX, left : left + SIDE_PX]
    return np.stack([_NORMALISED[channel][square[..., channel]] for channel in range(3)])


def _find_size(width: int, height: int) -> tuple[int, int]:
    """Return (width, height) with the shorter side at 224; the longer one is truncated."""
    if width <= height:
        return SIDE_PX, int(SIDE_PX * height / width)
    return int(SIDE_PX * width / height), SIDE_PX


def _cut_extremes(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    kept = _MAX_ASPECT * min(picture.shape[:2])
    top, left = (max(0, (side - kept) // 2) for side in picture.shape[:2])
    return picture[top : top + kept, left : left + kept]
