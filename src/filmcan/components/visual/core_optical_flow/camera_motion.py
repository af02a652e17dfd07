"""The camera's part of a flow field: one similarity (shift, zoom, roll) for the whole picture.

Called by `component.py`; numpy only. Places and displacements are complex numbers, x + iy, in
fractions of the frame width, with the picture's centre at 0, x to the right and y down. A
similarity then reads `displacement = (m - 1) * place + shift`, with scale |m| and rotation arg(m).

Source: RANSAC, Fischler and Bolles, Communications of the ACM 24(6), 1981, scored as MSAC, Torr and
Zisserman, CVIU 78, 2000; then iteratively reweighted least squares with Tukey's biweight, Huber and
Ronchetti, "Robust Statistics", 2nd edition, section 7.8. We weigh plain places half, and take the
scale of the errors from their lower quartile, which a foreground of 40 % disturbs less than it does
the usual median.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.complex64]

GRID_STEP_PX = 8
"""The field is read on a grid of this step: nearer neighbours share the search's patches."""

_HYPOTHESES = 96
"""Pairs of points tried: with 60 % foreground all miss the background with a chance of 5e-8."""

_AGREES_PX = 0.5
"""A point agrees within this distance, the search's usual error on hard pictures. At 0.75, 40 % of
foreground moving 1 px against the background pulled the fit by up to 0.6 px, at 0.5 by 0.06."""

_PLAIN_WEIGHT = 0.5
"""Weight of a place where no motion can be seen, read as being at rest, against 1 elsewhere: a pan
counts when textured places fill a third of the picture, be the rest plain sky; something smaller
that moves before a plain wall does not move the camera."""

_GREATEST_SLOPE = 0.5
"""No camera zooms or rolls by half within one frame; such a fit is chance, as across a cut."""

_POLISHES = 12
_REACH_SIGMAS = 3.0
_QUARTILE_TO_SIGMA = 1.0 / math.sqrt(-2.0 * math.log(0.75))
"""A quarter of a plane Gaussian lies within 0.7585 sigma (Rayleigh distribution)."""
_LEAST_SIGMA_PX = 0.02
_SETTLED_PX = 1e-4


@dataclass(frozen=True, slots=True)
class Similarity:
    """What one pair of pictures says of the camera.

    Attributes:
        factor: Complex m: |m| is the scale (above 1 content grows), arg(m) the rotation in radians,
            positive from x towards y, that is clockwise on the screen.
        shift: Complex displacement of the picture's centre, in fractions of the frame width.
        inlier_share: Weighted share of the grid that follows it within 0.5 px, 0..1.
    """

    factor: complex
    shift: complex
    inlier_share: float

    def displace(self, places: Places) -> Places:
        """Return how far each place moves, complex64 of the same shape, fractions of the width."""
        return np.complex64(self.factor - 1.0) * places + np.complex64(self.shift)


def build_places(height: int, width: int, aspect: float) -> Places:
    """Return the place of every pixel's centre.

    Args:
        height: Rows of the analysed picture.
        width: Its columns.
        aspect: Height over width of the upright frame; the analysed one is rounded to whole rows.

    Returns:
        complex64[height, width], fractions of the frame width, 0 at the picture's centre.
    """
    columns = (np.arange(width) + 0.5) / width - 0.5
    rows = ((np.arange(height) + 0.5) / height - 0.5) * aspect
    return np.asarray(columns[None, :] + 1j * rows[:, None], dtype=np.complex64)


def fit_similarity(
    places: Places,
    displacements: Places,
    plain: NDArray[np.bool_],
    *,
    pixel: float,
    seed: int,
) -> Similarity:
    """Return the similarity that most of the picture follows.

    Args:
        places: complex64[h, w], as `build_places` makes them.
        displacements: complex64[h, w], the flow, fractions of the frame width.
        plain: bool[h, w], where no motion can be seen.
        pixel: One pixel of the analysed picture in the same unit.
        seed: Seed of the choice of pairs.
    """
    rows, columns = (slice(min(GRID_STEP_PX, n) // 2, None, GRID_STEP_PX) for n in places.shape)
    even = plain[rows, columns].ravel()
    points = _Points(
        place=places[rows, columns].ravel().astype(np.complex128),
        displacement=np.where(even, 0.0, displacements[rows, columns].ravel()),
        weight=np.where(even, _PLAIN_WEIGHT, 1.0),
        pixel=pixel,
    )
    if not points.displacement.any():
        return Similarity(1.0 + 0.0j, 0.0j, 1.0)
    slope, shift = _polish(points, *_start(points, seed))
    follows = points.misses(slope, shift) <= _AGREES_PX * pixel
    share = float(points.weight[follows].sum() / points.weight.sum())
    return Similarity(1.0 + slope, shift, share)


@dataclass(frozen=True, slots=True)
class _Points:
    """The grid: complex128[P] places and displacements, float64[P] weights, size of a pixel."""

    place: NDArray[np.complex128]
    displacement: NDArray[np.complex128]
    weight: NDArray[np.float64]
    pixel: float

    def misses(self, slope: complex, shift: complex) -> NDArray[np.float64]:
        """Return the distance between what a similarity says and what was measured."""
        return np.abs(slope * self.place + shift - self.displacement)


def _start(points: _Points, seed: int) -> tuple[complex, complex]:
    """Return (m - 1, shift) of the best among many pairs of points, and rest."""
    reach = np.cumsum(points.weight)
    draws = np.random.default_rng(seed).random((2, _HYPOTHESES)) * reach[-1]
    first, second = np.minimum(np.searchsorted(reach, draws), reach.size - 1)
    baseline = points.place[second] - points.place[first]
    apart = np.abs(baseline) > 2 * GRID_STEP_PX * points.pixel
    change = points.displacement[second] - points.displacement[first]
    slopes = np.where(apart, change / np.where(apart, baseline, 1.0), 0.0)
    slopes[np.abs(slopes) > _GREATEST_SLOPE] = 0.0
    shifts = points.displacement[first] - slopes * points.place[first]
    slopes, shifts = np.append(slopes, 0.0), np.append(shifts, 0.0)
    gaps = slopes[:, None].astype(np.complex64) * points.place.astype(np.complex64)
    gaps += shifts[:, None].astype(np.complex64)
    gaps -= points.displacement.astype(np.complex64)
    squares = np.minimum(gaps.real**2 + gaps.imag**2, (_AGREES_PX * points.pixel) ** 2)
    best = int(np.argmin(squares @ points.weight.astype(np.float32)))
    return complex(slopes[best]), complex(shifts[best])


def _polish(points: _Points, slope: complex, shift: complex) -> tuple[complex, complex]:
    """Return (m - 1, shift) after reweighted least squares from a good start."""
    for _ in range(_POLISHES):
        miss = points.misses(slope, shift)
        near = miss[miss <= 2 * _AGREES_PX * points.pixel]
        if not near.size:
            break
        quartile = float(np.partition(near, near.size // 4)[near.size // 4])
        sigma = max(_QUARTILE_TO_SIGMA * quartile, _LEAST_SIGMA_PX * points.pixel)
        ratio = np.minimum(miss / (_REACH_SIGMAS * sigma), 1.0)
        weight = points.weight * (1.0 - ratio**2) ** 2
        total = float(weight.sum())
        if total <= 0.0:
            break
        centre = complex(weight @ points.place) / total
        mean = complex(weight @ points.displacement) / total
        around = points.place - centre
        spread = float(weight @ np.abs(around) ** 2)
        if spread <= 0.0:
            break
        better = complex((weight * around.conj()) @ (points.displacement - mean)) / spread
        if abs(better) > _GREATEST_SLOPE:
            break
        before = slope, shift
        slope, shift = better, mean - better * centre
        if abs(slope - before[0]) + abs(shift - before[1]) < _SETTLED_PX * points.pixel:
            break
    return slope, shift
