"""What the object members of one file have cost: their limits hold for the file, not for each.

A few kilobytes can hold thousands of members that each stay just below a limit. So a reader counts
what each took, a second reading of the same member not again, and leaves the others the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(slots=True)
class ObjectCost:
    """What decoding has taken; the limits of the same names bound it.

    Attributes:
        size_bytes: Bytes of pickles.
        opcodes: Steps.
        nodes: Values that came of it, each as often as it would be printed.
        text_bytes: Text and binary data in these, and copied on the way.
    """

    size_bytes: int = 0
    opcodes: int = 0
    nodes: int = 0
    text_bytes: int = 0

    def less(self, other: ObjectCost) -> ObjectCost:
        """Return the difference."""
        return ObjectCost(
            self.size_bytes - other.size_bytes,
            self.opcodes - other.opcodes,
            self.nodes - other.nodes,
            self.text_bytes - other.text_bytes,
        )


class ObjectLedger:
    """The costs of one file's object members; threads take turns."""

    __slots__ = ("_entries", "_taking_turns", "_total")

    def __init__(self) -> None:
        """Start with nothing decoded."""
        self._entries: dict[str, ObjectCost] = {}
        self._total = ObjectCost()
        self._taking_turns = Lock()

    def spend(self, key: str, decode: Callable[[ObjectCost], np.ndarray]) -> np.ndarray:
        """Decode a member and book on it what that has cost, also when it fails.

        Args:
            key: The member.
            decode: Is given what all other members have cost, and adds to it.
        """
        with self._taking_turns:
            before = self._total.less(self._entries.get(key, _NOTHING))
            cost = before.less(_NOTHING)
            try:
                return decode(cost)
            finally:
                self._entries[key] = cost.less(before)
                self._total = cost


_NOTHING = ObjectCost()
