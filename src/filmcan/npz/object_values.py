"""From decoded shells to plain values: bounds on the whole, then construction (threats B1).

A pickle may share one value many times or nest values in a circle. Here every value is counted as
often as it would be printed, circles and deep nesting are refused, and only then arrays are made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np

from filmcan.errors import InvalidArtifactError
from filmcan.npz.dtypes import check_text
from filmcan.npz.limits import ReadLimits
from filmcan.npz.npy_header import OBJECT
from filmcan.npz.object_cost import ObjectCost
from filmcan.npz.object_shells import ArrayShell, malformed
from filmcan.npz.refusal import over_limit, refuse

_MAX_INTEGER = 10**4_000


class _Built(NamedTuple):
    """A finished value and its expanded size: values, bytes of text and data, nesting."""

    value: object
    nodes: int
    text_bytes: int
    height: int


@dataclass(slots=True)
class _Sum:
    """The expanded size of a container under construction."""

    nodes: int = 1
    text_bytes: int = 0
    height: int = 0


class Builder:
    """Builds the values of one pickle."""

    def __init__(self, limits: ReadLimits, cost: ObjectCost) -> None:
        """Start with nothing built.

        Args:
            limits: Bounds on the values.
            cost: What there is of values already; what is built is added, also when it comes to
                nothing.
        """
        self._limits = limits
        self._cost = cost
        self._max_nodes = limits.max_object_nodes - cost.nodes
        self._max_text_bytes = limits.max_object_text_bytes - cost.text_bytes
        self._built: dict[int, _Built] = {}

    def build_array(self, shell: object, shape: tuple[int, ...]) -> np.ndarray:
        """Return the object array that a member holds.

        Raises:
            InvalidArtifactError: It is no object array of the header's shape, or holds what is
                not allowed, or too much of it.
        """
        if type(shell) is not ArrayShell or shell.dtype != OBJECT:
            raise refuse("pickle_refused", "an object member must hold an object array")
        if shell.shape != shape:
            raise refuse("npy_shape", f"the header says shape {shape}, the array {shell.shape}")
        nodes, text_bytes = self._cost.nodes, self._cost.text_bytes
        built = self._build_container(shell, 0)
        # What is shared has been built once; it is written out more often.
        self._cost.nodes = nodes + built.nodes
        self._cost.text_bytes = text_bytes + built.text_bytes
        return cast("np.ndarray", built.value)

    def _build_container(self, item: object, depth: int) -> _Built:
        found = self._built.get(id(item))
        if found is None:
            if depth >= self._limits.max_object_depth:
                raise self._too_deep()
            found = self._built[id(item)] = self._expand(item, depth)
        elif depth + found.height > self._limits.max_object_depth:
            raise self._too_deep()
        return found

    def _expand(self, item: object, depth: int) -> _Built:
        total = _Sum()
        value: object
        if type(item) is dict:
            self._cost.nodes += len(item)
            total.text_bytes += sum(map(len, item))
            value = {key: self._add(part, total, depth) for key, part in item.items()}
        elif type(item) is list:
            self._cost.nodes += len(item)
            value = [self._add(part, total, depth) for part in item]
        elif type(item) is tuple:
            self._cost.nodes += len(item)
            value = tuple([self._add(part, total, depth) for part in item])
        elif type(item) is ArrayShell and item.dtype is not None:
            value = self._expand_array(item, total, depth)
        else:
            what = "an array without state" if type(item) is ArrayShell else type(item).__name__
            raise refuse("pickle_refused", f"{what} is no value an artifact may hold")
        return _Built(value, total.nodes, total.text_bytes, total.height + 1)

    def _add(self, part: object, total: _Sum, depth: int) -> object:
        """Add a part's expanded size to its container's and return its finished value."""
        text_bytes = _measure_plain(part)
        if text_bytes is None:
            built = self._build_container(part, depth + 1)
            total.nodes += built.nodes
            total.text_bytes += built.text_bytes
            total.height = max(total.height, built.height)
            part = built.value
        else:
            total.nodes += 1
            total.text_bytes += text_bytes
        if total.nodes > self._max_nodes:
            limit = self._limits.max_object_nodes
            raise over_limit("max_object_nodes", f"over {limit} values when all is written out")
        if total.text_bytes > self._max_text_bytes:
            limit = self._limits.max_object_text_bytes
            raise over_limit("max_object_text_bytes", f"over {limit} bytes when all is written out")
        return part

    def _expand_array(self, shell: ArrayShell, total: _Sum, depth: int) -> np.ndarray:
        count = math.prod(shell.shape)
        if shell.dtype == OBJECT:
            if len(shell.items) != count:
                raise refuse("npy_size", f"{len(shell.items)} values for shape {shell.shape}")
            self._cost.nodes += count
            flat = np.empty(count, OBJECT)
            for index, part in enumerate(shell.items):
                flat[index] = self._add(part, total, depth)
            # numpy lists the values in C order, whatever order the array had.
            array = _reshape(flat, shell.shape)
            return np.asfortranarray(array) if shell.fortran and array.ndim > 1 else array
        data, dtype = shell.data, shell.dtype
        if dtype is None or len(data) != count * dtype.itemsize:
            raise refuse("npy_size", f"{len(data)} bytes for {dtype} of shape {shell.shape}")
        total.text_bytes += len(data)
        self._cost.text_bytes += len(data)
        flat = np.frombuffer(data, dtype).copy() if count else np.empty(0, dtype)
        if dtype.kind == "U":
            check_text(flat)
        if shell.fortran:
            return _reshape(flat, shell.shape[::-1]).T
        return _reshape(flat, shell.shape)

    def _too_deep(self) -> InvalidArtifactError:
        limit = self._limits.max_object_depth
        return over_limit("max_object_depth", f"values nest deeper than {limit}, or in a circle")


def _reshape(flat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return flat.reshape(shape)
    except ValueError as error:  # an empty array whose other axes are beyond any memory
        raise malformed("an array's shape") from error


def _measure_plain(item: object) -> int | None:
    """Return the bytes of text or data in a value without parts, None for any other."""
    kind = type(item)
    if kind is str or kind is bytes:
        return len(cast("str | bytes", item))
    if item is None or kind is bool or kind is float:
        return 0
    if kind is int:
        if not -_MAX_INTEGER < cast("int", item) < _MAX_INTEGER:
            raise over_limit("4000 digits", "an integer is longer than 4000 digits")
        return 0
    return item.nbytes if isinstance(item, np.generic) else None
