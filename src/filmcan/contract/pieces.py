"""Walk over an array piece by piece, so that judging it needs little memory beside it.

An artifact may fill nearly all the memory that one may cost (`threats.md`, the bar of 512 MiB):
a mask of every value, or a copy of those that are there, would break it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np

PIECE_BYTES = 1 << 20
"""Of the largest element type: what is computed of a piece stays in the processor's cache."""


def spread_mask(mask: np.ndarray, array: np.ndarray) -> np.ndarray:
    """Return a mask over the first axes of an array with an axis of one for each other."""
    return mask.reshape(mask.shape + (1,) * (array.ndim - mask.ndim))


def iterate_pieces(
    array: np.ndarray, *others: np.ndarray
) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
    """Yield an array in pieces along one axis, in C order, whatever its layout in memory.

    A piece is good until the next one is asked for. An array without elements has none.

    Args:
        array: Any array.
        others: Arrays of its shape, or spread over it by `spread_mask`; they are cut likewise.

    Yields:
        How many elements came before, and the pieces: of the array, and of each other one.
    """
    if not array.size:
        return
    if array.nbytes <= PIECE_BYTES:
        yield 0, tuple(np.broadcast_to(item, array.shape).ravel() for item in (array, *others))
        return
    operands = (array, *others)
    largest = max(operand.itemsize for operand in operands)
    walk = np.nditer(
        operands,
        ["external_loop", "buffered", "refs_ok"],
        [["readonly"]] * len(operands),
        order="C",
        buffersize=max(1, PIECE_BYTES // largest),
    )
    start = 0
    with walk:
        for found in walk:
            pieces = cast("tuple[np.ndarray, ...]", found if others else (found,))
            yield start, pieces
            start += pieces[0].size
