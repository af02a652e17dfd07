"""What a hostile file of the corpus is: how it is made, and how it must be refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from filmcan.testing.made_npz import make_npy

MARKER = "filmcan_marker"
"""Payloads would create a file of this name in the working directory."""

FLOATS = make_npy(np.arange(6, dtype="<f4").reshape(2, 3))
"""An honest member."""


@dataclass(frozen=True)
class HostileCase:
    """One hostile file.

    Attributes:
        build: Makes its bytes.
        code: The error code it must be refused with.
    """

    build: Callable[[], bytes]
    code: str


class Corpus(dict[str, HostileCase]):
    """Cases by name."""

    def add(self, name: str, code: str, build: Callable[[], bytes]) -> None:
        """Add a case.

        Raises:
            ValueError: The name is taken.
        """
        if name in self:
            raise ValueError(f"{name} is in the corpus already")
        self[name] = HostileCase(build, code)
