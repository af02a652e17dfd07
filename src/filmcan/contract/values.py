"""Look once at all values of one array: which are missing, and the least that must be told of them.

Judging what was found is for `contract.validate`; nothing here knows a schema but the one key's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filmcan.contract.pieces import iterate_pieces, spread_mask
from filmcan.contract.schema import FLOAT_TYPES, INTEGER_TYPES, KeySchema

MISSING_INTEGER = -1
NUMBER_TYPES = FLOAT_TYPES | INTEGER_TYPES
_TEXT_TYPES = frozenset({"str", "object_str"})


@dataclass(slots=True)
class Places:
    """Elements of an array that have something in common.

    Attributes:
        count: How many there are.
        first: How many elements stand before the first of them, in C order.
    """

    count: int = 0
    first: int = 0

    def add(self, start: int, found: np.ndarray) -> None:
        """Take note of a piece: where it begins, and which of its elements are meant."""
        more = int(np.count_nonzero(found))
        if more and not self.count:
            self.first = start + int(found.argmax())
        self.count += more


@dataclass(slots=True)
class Tally:
    """What all values of one array come to.

    Attributes:
        absent: Those written as missing.
        hidden: Values where the mask is false.
        lost: Missing ones where the mask is true.
        infinite: How many are an infinity; nothing below counts them.
        present: How many values there are.
        zeros: How many of them are zero.
        least: The least one; None when there is none.
        greatest: The greatest one; None when there is none.
        fall: The first that is no greater than the one before: how many there are before it, and
            its value. None when they increase.
    """

    absent: Places
    hidden: Places
    lost: Places
    infinite: int = 0
    present: int = 0
    zeros: int = 0
    least: float | None = None
    greatest: float | None = None
    fall: tuple[int, float] | None = None


def can_be_missing(key: KeySchema) -> bool:
    """Tell whether a value of this key can be written as missing.

    Where nothing says that one may be missing, -1 and `""` are ordinary values.
    """
    return key.dtype in FLOAT_TYPES or key.mask is not None or key.nullable


def count_values(
    array: np.ndarray, key: KeySchema, mask: np.ndarray | None, *, is_empty: bool = False
) -> Tally:
    """Return what the values of an array come to.

    Args:
        array: It fits the key: its dtype and its number of axes.
        key: What its schema says of it.
        mask: The array of the mask, None when there is none to go by.
        is_empty: True for an empty artifact, where -1 is a missing integer whatever the key says.
    """
    tally = Tally(Places(), Places(), Places())
    knows_absent = can_be_missing(key) or (is_empty and key.dtype in INTEGER_TYPES)
    previous: float | None = None
    others = () if mask is None else (spread_mask(mask, array),)
    for start, (piece, *masks) in iterate_pieces(array, *others):
        values = piece
        if knows_absent:
            absent = _find_absent(piece, key)
            if masks:
                tally.hidden.add(start, ~absent & ~masks[0])
                tally.lost.add(start, absent & masks[0])
            if absent.any():
                tally.absent.add(start, absent)
                values = piece[~absent]
        if key.dtype in NUMBER_TYPES:
            previous = _count_numbers(values, key, tally, previous)
    return tally


def _find_absent(piece: np.ndarray, key: KeySchema) -> np.ndarray:
    if key.dtype in FLOAT_TYPES:
        return np.asarray(np.isnan(piece))
    return np.asarray(piece == ("" if key.dtype in _TEXT_TYPES else MISSING_INTEGER))


def _count_numbers(
    values: np.ndarray, key: KeySchema, tally: Tally, previous: float | None
) -> float | None:
    """Add a piece of an array without its missing values; return the last value so far."""
    if key.dtype in FLOAT_TYPES and not (finite := np.isfinite(values)).all():
        tally.infinite += values.size - int(np.count_nonzero(finite))
        values = values[finite]
    if not values.size:
        return previous
    least, greatest = values.min(), values.max()
    tally.least = least if tally.least is None else min(tally.least, least)
    tally.greatest = greatest if tally.greatest is None else max(tally.greatest, greatest)
    if key.increasing and tally.fall is None:
        falls = values[1:] <= values[:-1]
        if previous is not None and values[0] <= previous:
            tally.fall = (tally.present, values[0])
        elif falls.any():
            place = int(falls.argmax()) + 1
            tally.fall = (tally.present + place, values[place])
    tally.present += values.size
    tally.zeros += values.size - int(np.count_nonzero(values))
    last: float = values[-1]
    return last
