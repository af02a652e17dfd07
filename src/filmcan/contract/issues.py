"""What a validator says: issues, collected in a report.

A problem is a record, not text: where, what, and a stable code that callers branch on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]

SHOWN_VALUE_CHARS = 120
"""Values quoted in messages are cut to this length, so that no artifact can flood a terminal."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding.

    Attributes:
        level: `error` (the content breaks the contract) or `warning` (worth a look).
        code: Stable, append-only identifier such as `value_under_false_mask`.
        key: The array or field concerned, `""` when the whole artifact is.
        message: What is wrong, expected and got.
        where: The artifact, run or place concerned, `""` when the report has only one subject.
    """

    level: Level
    code: str
    key: str
    message: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All findings about one subject, in a stable order (as found, top to bottom)."""

    issues: tuple[Issue, ...] = ()

    @property
    def ok(self) -> bool:
        """True when there is no error; warnings are allowed."""
        return not self.errors

    @property
    def errors(self) -> tuple[Issue, ...]:
        """The findings that break the contract."""
        return tuple(issue for issue in self.issues if issue.level == "error")

    @property
    def warnings(self) -> tuple[Issue, ...]:
        """The findings worth a look."""
        return tuple(issue for issue in self.issues if issue.level == "warning")

    def __iter__(self) -> Iterator[Issue]:
        """Iterate over the findings in order."""
        return iter(self.issues)

    def __len__(self) -> int:
        """Count all findings, warnings included."""
        return len(self.issues)

    def merged(self, others: Iterable[Issue]) -> Report:
        """Return a report with more findings at its end."""
        return Report((*self.issues, *others))


def shown(value: object) -> str:
    """Return a short, single-line picture of a value for a message."""
    text = repr(value)
    return text if len(text) <= SHOWN_VALUE_CHARS else f"{text[: SHOWN_VALUE_CHARS - 3]}..."
