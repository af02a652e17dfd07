"""Read typed fields from a parsed JSON object, collecting every problem with its place.

Parsers read all fields, then refuse once with all problems: nobody has to mend a document one
error at a time. A field that is wrong reads as a harmless stand-in, so parsing can go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from filmcan.contract.issues import Issue, shown

MAX_PROBLEMS = 100
"""Enough to mend a document by; a hostile one could have millions."""

_T = TypeVar("_T")


class ObjectReader:
    """One JSON object, its place in the document, and the shared list of problems."""

    def __init__(self, value: object, where: str, problems: list[Issue]) -> None:
        """Take an object; anything else is a problem and reads as an empty one."""
        self.where = where
        self.problems = problems
        self.value: Mapping[str, object] = {}
        if isinstance(value, Mapping):
            self.value = value
        else:
            self.report(f"expected an object, got {shown(value)}")

    def report(self, message: str, name: str = "", code: str = "wrong_type") -> None:
        """Add a problem at this place, or at a field of it."""
        place = f"{self.where}.{name}" if name and self.where else name or self.where
        self.problems.append(Issue("error", code, place, message))

    def has(self, name: str) -> bool:
        """Tell whether the field is there, null included."""
        return name in self.value

    def child(self, name: str) -> ObjectReader:
        """Return a nested object."""
        return ObjectReader(self.value.get(name), self._place(name), self.problems)

    def children(self, name: str) -> list[tuple[str, ObjectReader]]:
        """Return the nested objects of a field that maps names to objects; absent: none."""
        if name not in self.value:
            return []
        group = self.child(name)
        return [(key, group.child(key)) for key in group.value]

    def names(self, name: str) -> tuple[str, ...]:
        """Return the names that a field maps; none where it is absent or no object."""
        group = self.value.get(name)
        return tuple(group) if isinstance(group, Mapping) else ()

    def items(self, name: str) -> Iterable[ObjectReader]:
        """Iterate over the nested objects of a field that is a list of objects.

        It ends early once there are `MAX_PROBLEMS`: the document is refused in any case.
        """
        value = self.value.get(name)
        if not isinstance(value, list):
            self.report(f"expected a list, got {shown(value)}", name)
            return ()
        return self._iterate(self._place(name), value)

    def _iterate(self, place: str, items: list[object]) -> Iterator[ObjectReader]:
        for index, item in enumerate(items):
            if len(self.problems) >= MAX_PROBLEMS:
                return
            yield ObjectReader(item, f"{place}[{index}]", self.problems)

    def only(self, names: Iterable[str]) -> None:
        """Report every field that is not named."""
        for name in sorted(set(self.value) - set(names)):
            self.report("unknown field", name, "unknown_key")

    def extra(self, names: Iterable[str]) -> dict[str, object]:
        """Return the fields that are not named, to be kept on rewrite (C3.6)."""
        surplus = self.value.keys() - names
        if not surplus:
            return {}
        return {name: value for name, value in self.value.items() if name in surplus}

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string."""
        value = self.value.get(name, default)
        return value if type(value) is str else self._typed(name, str, "a string", "", default)

    def optional_text(self, name: str) -> str | None:
        """Return a string, or None where the field is null or absent."""
        value = self.value.get(name)
        return value if value is None or type(value) is str else self.text(name)

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return true or false."""
        return self._typed(name, bool, "true or false", False, default)  # noqa: FBT003 - a stand-in

    def whole(self, name: str, *, low: int = 0) -> int:
        """Return a whole number of at least `low`."""
        value = self.value.get(name)
        if type(value) is not int:
            value = self._typed(name, int, "a whole number", low)
        if value < low:
            self.report(f"expected at least {low}, got {value}", name, "out_of_range")
        return value

    def optional_whole(self, name: str, *, low: int = 0) -> int | None:
        """Return a whole number, or None where the field is null or absent."""
        return None if self.value.get(name) is None else self.whole(name, low=low)

    def choice(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """Return one of the named strings."""
        value = self.text(name, default)
        if value in choices:
            return value
        if isinstance(self.value.get(name, default), str):
            expected = ", ".join(choices)
            self.report(f"expected one of {expected}, got {shown(value)}", name, "out_of_range")
        return choices[0]

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings; absent: none."""
        value = self.value.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.report(f"expected a list of strings, got {shown(value)}", name)
            return ()
        return tuple(value)

    def checked(self, name: str, check: Callable[[str], str | None]) -> str:
        """Return a string that passes `check`, which says what is wrong or returns None."""
        value = self.text(name)
        fault = check(value)
        if fault is not None and type(self.value.get(name)) is str:
            self.report(fault, name, "bad_value")
        return value

    def _place(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name

    def _typed(
        self, name: str, kind: type[_T], expected: str, stand_in: _T, default: _T | None = None
    ) -> _T:
        value = self.value.get(name, default)
        if isinstance(value, bool) and kind is not bool:
            value = None
        if isinstance(value, kind):
            return value
        if name not in self.value:
            self.report(f"missing, expected {expected}", name, "missing_key")
        else:
            self.report(f"expected {expected}, got {shown(self.value[name])}", name)
        return stand_in
