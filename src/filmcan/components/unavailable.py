"""What is common to components whose network this version of filmcan does not bring yet.

They have their schema and their place in every plan, and always end `empty: dependency_missing`
with the reason in the notes; they never make numbers up. A component leaves this base on the day
it can run its network.
"""

from __future__ import annotations

from typing import ClassVar, NoReturn

from filmcan.components.base import Component, Inputs
from filmcan.errors import InternalError


class UnavailableComponent(Component):
    """Base of components that cannot run yet.

    Class attributes:
        weights: The assets that are missing, by name, with their files.
    """

    weights: ClassVar[str]

    def find_missing_dependency(self) -> str:
        """Name the missing weights, and say plainly that no command can provide them yet."""
        return (
            f"weights of {self.weights} are not in the model cache; "
            "this version of filmcan can neither fetch nor run them yet"
        )

    def run(self, inputs: Inputs) -> NoReturn:
        """Refuse: a component with a missing dependency is never run.

        Raises:
            InternalError: Always.
        """
        raise InternalError(
            f"{self.name} was run on {inputs.probe.name} although its dependency is missing",
            code="dependency_missing",
            hint=f"{self.find_missing_dependency()}.",
        )
