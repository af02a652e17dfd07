"""What fsck says of a store: findings, and how loose files and unreadable places become one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from filmcan.contract.issues import Issue, Level
from filmcan.errors import InvalidContentError, StoreUnavailableError
from filmcan.files import TEMPORARY_PREFIX
from filmcan.store.base import Listing

if TYPE_CHECKING:
    from filmcan.store.base import Backend

Remedy = Literal["rebuild", "unlist", "quarantine"]
"""`rebuild` the manifest from its artifacts, `unlist` an artifact that is not what the manifest
says, `quarantine` what must not lie in a store."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what `--repair` would do about it.

    Attributes:
        issue: What and where; `where` is a path below the store's root.
        remedy: None when nothing can be proved, or when it is left to gc.
        component: Whose artifact it is, for `unlist`.
    """

    issue: Issue
    remedy: Remedy | None = None
    component: str = ""


@dataclass(slots=True)
class Inspection:
    """What was looked at and found."""

    findings: list[Finding] = field(default_factory=list)
    runs: int = 0
    artifacts: int = 0
    read_bytes: int = 0
    quarantined: int = 0

    def merge(self, other: Inspection) -> None:
        """Take over what another one looked at and found."""
        self.findings += other.findings
        self.runs += other.runs
        self.artifacts += other.artifacts
        self.read_bytes += other.read_bytes
        self.quarantined += other.quarantined

    def add(
        self,
        level: Level,
        code: str,
        where: str,
        message: str,
        *,
        remedy: Remedy | None = None,
        component: str = "",
    ) -> None:
        """Add a finding."""
        self.findings.append(Finding(Issue(level, code, "", message, where), remedy, component))


def list_readable(backend: Backend, folder: str, inspection: Inspection) -> Listing:
    """Return what is in a folder; nothing where it cannot be looked into, which is a finding."""
    try:
        return backend.list_folder(folder)
    except InvalidContentError as error:
        inspection.add("error", error.code, folder, error.message)
    except StoreUnavailableError as error:
        report_unreadable(backend, inspection, folder, error)
    return Listing((), {})


def report_unreadable(
    backend: Backend, inspection: Inspection, where: str, error: StoreUnavailableError
) -> None:
    """Report what a disk refuses: it may give all else. A server that refuses ends the look."""
    if backend.find_local_path(where) is None:
        raise error
    inspection.add("error", "unreadable", where, error.message)


def report_deletion(inspection: Inspection, where: str) -> None:
    """Report a deletion that its own process did not finish."""
    message = "a deletion was interrupted; gc finishes it"
    inspection.add("warning", "deletion_unfinished", where, message)


def judge_loose(inspection: Inspection, folder: str, name: str, *, tolerated: bool = False) -> None:
    """Judge a file that no manifest lists; `tolerated` where files may lie (above the runs)."""
    path = f"{folder}/{name}" if folder else name
    if name.startswith(TEMPORARY_PREFIX):
        message = "left by an interrupted write, or being written; gc removes it"
        inspection.add("warning", "leftover_temporary", path, message)
    elif name.lower().endswith(".json"):
        message = "no JSON but manifest.json may lie in a store"
        inspection.add("error", "forbidden_json", path, message, remedy="quarantine")
    elif not tolerated:
        message = "no manifest lists it; gc removes it"
        inspection.add("warning", "unlisted_file", path, message)


def judge_strange(inspection: Inspection, folder: str, names: tuple[str, ...]) -> None:
    """Report links and special files."""
    for name in names:
        path = f"{folder}/{name}" if folder else name
        message = "a link or special file; it is never followed"
        inspection.add("error", "not_regular", path, message, remedy="quarantine")
