"""Read checked values from a component's section of the profile.

Each reader names the component, the parameter, what was expected and what was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from filmcan.errors import BadProfileError

if TYPE_CHECKING:
    from filmcan.components.base import Parameters


def get_int(parameters: Parameters, name: str, *, low: int, high: int) -> int:
    """Return a whole number within [low, high]."""
    value = _get(parameters, name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _refusal(name, f"a whole number from {low} to {high}", value)
    return value


def get_float(parameters: Parameters, name: str, *, low: float, high: float) -> float:
    """Return a number within [low, high]."""
    value = _get(parameters, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _refusal(name, f"a number from {low} to {high}", value)
    return float(value)


def get_bool(parameters: Parameters, name: str) -> bool:
    """Return true or false."""
    value = _get(parameters, name)
    if not isinstance(value, bool):
        raise _refusal(name, "true or false", value)
    return value


def get_text(parameters: Parameters, name: str) -> str:
    """Return a text that is not empty."""
    value = _get(parameters, name)
    if not isinstance(value, str) or not value.strip():
        raise _refusal(name, "a text", value)
    return value


def get_list(parameters: Parameters, name: str) -> list[object]:
    """Return a list; what stands in it is the caller's to check."""
    value = _get(parameters, name)
    if not isinstance(value, list):
        raise _refusal(name, "a list", value)
    return list(value)


def get_choice(parameters: Parameters, name: str, choices: tuple[str, ...]) -> str:
    """Return one of the named choices."""
    value = _get(parameters, name)
    if value not in choices:
        raise _refusal(name, f"one of {', '.join(choices)}", value)
    return str(value)


def _get(parameters: Parameters, name: str) -> object:
    if name not in parameters:
        raise BadProfileError(
            f"parameter {name} is missing",
            where=name,
            hint="Start from profiles/all.yaml, which names every parameter.",
        )
    return parameters[name]


def _refusal(name: str, expected: str, value: object) -> BadProfileError:
    return BadProfileError(f"{name} must be {expected}, got {value!r}", where=name)
