"""Pairs of pictures whose motion is known exactly, for tests of flow and tracking.

The pictures are sampled from a smooth function of the plane, so that shifts by parts of a pixel,
zooms and rolls need no interpolation and carry no error but the rounding to 8 bits.
"""

from __future__ import annotations

import cmath
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Field = NDArray[np.float64]
    Texture = Callable[[Field, Field], Field]

_WAVES = 32
_CONTRAST = 40.0


@dataclass(frozen=True, slots=True)
class Motion:
    """How the background moves between two pictures.

    Attributes:
        scale: Zoom about the picture's centre, above 1: content grows.
        rotation_rad: Roll about the centre, positive clockwise on the screen.
        shift_px: Displacement (x right, y down) of the centre.
    """

    scale: float = 1.0
    rotation_rad: float = 0.0
    shift_px: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Foreground:
    """A textured rectangle, alike to the picture in shape, that moves by itself.

    Attributes:
        share: Part of the picture's area that it covers.
        shift_px: Its displacement (x right, y down).
    """

    share: float
    shift_px: tuple[float, float]


def build_texture(seed: int) -> Texture:
    """Return luma as a smooth random function of the plane, mean 128, deviation about 40."""
    random = np.random.default_rng(seed)
    waves = random.normal(0.0, 0.38, (_WAVES, 2))  # radians per pixel: nothing finer than 5 pixels
    phases = random.uniform(0.0, 2.0 * np.pi, _WAVES)
    heights = 1.0 / np.maximum(np.hypot(waves[:, 0], waves[:, 1]), 0.05)
    heights *= _CONTRAST / np.sqrt((heights**2).sum() / 2.0)

    def texture(x: Field, y: Field) -> Field:
        value = np.full(np.broadcast_shapes(x.shape, y.shape), 128.0)
        for (wave_x, wave_y), phase, height in zip(waves, phases, heights, strict=True):
            value += height * np.sin(wave_x * x + wave_y * y + phase)
        return value

    return texture


def build_moved_pair(
    height: int,
    width: int,
    motion: Motion,
    *,
    seed: int = 0,
    foreground: Foreground | None = None,
    plain: float | None = None,
    grain: float = 0.0,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a picture and the same one moved, both uint8[height, width].

    Args:
        height: Rows.
        width: Columns.
        motion: Of the background.
        seed: Of textures and grain.
        foreground: What moves by itself, None: nothing.
        plain: Luma of an even background instead of a textured one.
        grain: Standard deviation of independent noise, in luma steps.
    """
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    middle = complex((width - 1) / 2.0, (height - 1) / 2.0)
    around = columns + 1j * rows - middle
    source = (around - complex(*motion.shift_px)) / cmath.rect(motion.scale, motion.rotation_rad)
    source += middle
    texture = build_texture(seed)
    first, second = texture(columns, rows), texture(source.real, source.imag)
    if plain is not None:
        first, second = np.full_like(first, plain), np.full_like(second, plain)
    if foreground is not None:
        first = _cover(first, foreground.share, (0.0, 0.0), seed + 1000)
        second = _cover(second, foreground.share, foreground.shift_px, seed + 1000)
    random = np.random.default_rng(seed)
    return _develop(first, grain, random), _develop(second, grain, random)


def _cover(picture: Field, share: float, shift_px: tuple[float, float], seed: int) -> Field:
    """Lay a textured rectangle over a picture, a quarter in from the left, half from the top."""
    height, width = picture.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    x, y = columns - shift_px[0], rows - shift_px[1]
    inner_height, inner_width = height * share**0.5, width * share**0.5
    top, left = (height - inner_height) // 2, (width - inner_width) // 4
    inside = (x >= left) & (x < left + inner_width) & (y >= top) & (y < top + inner_height)
    return np.where(inside, build_texture(seed)(x, y), picture)


def _develop(picture: Field, grain: float, random: np.random.Generator) -> NDArray[np.uint8]:
    noise = random.normal(0.0, grain, picture.shape) if grain else 0.0
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)
