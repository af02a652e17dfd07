"""Embeddings as directions: scaled to unit length, averaged, compared.

Shared by the components that embed pictures or sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filmcan.errors import ComponentFailedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_LENGTH = 1e-6
"""A shorter mean of unit vectors is rounding error: the vectors point in no common direction."""


def scale_to_unit(vectors: NDArray[np.float32], where: str) -> NDArray[np.float32]:
    """Return each row scaled to length 1.

    Args:
        vectors: float32[K, D], as a network gave them.
        where: Whose they are, for the error.

    Raises:
        ComponentFailedError: A row has no direction: it is zero or not finite.
    """
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0.0)).all():
        raise ComponentFailedError(
            "the network gave an embedding that is zero or not finite",
            where=where,
            hint="Check the weights: they may be damaged or of another network.",
        )
    return np.asarray(vectors / lengths, dtype=np.float32)


def find_mean_direction(
    vectors: NDArray[np.float32], weights: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float32] | None, float]:
    """Return the mean of unit vectors scaled to length 1, and the length it had.

    Args:
        vectors: float32[K, D], K >= 1, each of length 1.
        weights: float64[K], not negative, not all 0; None weighs all alike.

    Returns:
        float32[D], or None when the mean has no direction; and its length before scaling, 0..1.
    """
    mean = np.average(vectors.astype(np.float64), axis=0, weights=weights)
    length = float(np.linalg.norm(mean))
    if length < LEAST_LENGTH:
        return None, length
    return np.asarray(mean / length, dtype=np.float32), length


def compare_neighbours(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosine between each row and the one before it.

    It is NaN for the first row, and where either of the two is.

    Args:
        vectors: float32[N, D], each of length 1 or NaN.

    Returns:
        float32[N], -1..1.
    """
    cosines = np.full(len(vectors), np.nan, dtype=np.float32)
    products = vectors[1:].astype(np.float64) * vectors[:-1]
    cosines[1:] = np.clip(products.sum(axis=1), -1.0, 1.0)
    return cosines
