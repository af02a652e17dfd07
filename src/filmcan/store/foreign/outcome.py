"""What became of each file, component and run of a foreign store: the record of an import."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from filmcan.contract.issues import Issue, Level
from filmcan.errors import FilmcanError, StoreUnavailableError

FileFate = Literal["upgraded", "carried", "read", "damaged", "refused", "left_out"]
"""`upgraded` and `carried`: in the store now, in that form. `read`, `damaged`: a manifest.
`refused`: should have come, but cannot. `left_out`: is no data, or nothing lists it."""

RunFate = Literal["imported", "completed", "unchanged", "refused"]
"""`completed`: an earlier import had been interrupted."""

UNREADABLE = "unreadable"
"""Code of what the source did not give, because its disk or network failed: import again."""


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """One file of the source.

    Attributes:
        path: Relative to the run's folder.
        fate: What became of it.
        component: Whose file it is, empty when nobody's.
        size_bytes: Its size.
        sha256: Digest of its bytes, empty when they were not read.
        reason: Why it was refused or left out.
    """

    path: str
    fate: FileFate
    component: str = ""
    size_bytes: int = 0
    sha256: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ComponentOutcome:
    """One component as it stands in the store now.

    Attributes:
        form: `upgraded`, `carried` or, without an artifact, `recorded`.
        changes: What the import changed in its arrays, one sentence each.
    """

    name: str
    status: str
    empty_reason: str | None
    error: str | None
    schema_version: str | None
    form: str
    changes: tuple[str, ...] = ()


@dataclass(slots=True)
class RunOutcome:
    """One run of the source.

    Attributes:
        path: `platform_id/video_id/run_id`.
        fate: What became of it.
        manifest: `read`, `damaged` or `missing`; without one the run is rebuilt from its artifacts.
        issues: Errors: what was refused. Warnings: what was filled in or could not be verified.
    """

    path: str
    fate: RunFate = "imported"
    manifest: Literal["read", "damaged", "missing"] = "read"
    components: list[ComponentOutcome] = field(default_factory=list)
    files: list[FileOutcome] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)

    def tell(self, level: Level, code: str, key: str, message: str, where: str = "") -> None:
        """Add an issue; `where` is relative to the run."""
        place = f"{self.path}/{where}" if where else self.path
        self.issues.append(Issue(level, code, key, message, place))

    def refuse(self, error: FilmcanError) -> None:
        """Say that the run does not come, and why."""
        self.fate = "refused"
        _, _, below = error.where.partition(f"{self.path}/")
        if isinstance(error, StoreUnavailableError):
            self.tell("error", UNREADABLE, "", tell_unreadable(error), below)
        else:
            self.tell("error", error.code, "", error.message, below)

    def refuse_file(
        self, path: str, component: str, size_bytes: int, error: StoreUnavailableError
    ) -> None:
        """Say that a file does not come, because it cannot be read now."""
        message = tell_unreadable(error)
        self.tell("error", UNREADABLE, component, message, path)
        self.files.append(FileOutcome(path, "refused", component, size_bytes, reason=message))

    def refuse_files(self, component: str, reason: str) -> None:
        """Take back that files of a component were brought in."""
        self.files = [
            replace(item, fate="refused", reason=reason) if item.component == component else item
            for item in self.files
        ]


def tell_unreadable(error: StoreUnavailableError) -> str:
    """Return the reason why something of the source does not come now."""
    return f"the source did not give it: {error.message}"
