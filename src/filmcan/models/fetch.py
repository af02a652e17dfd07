"""Make an asset's files present and right, or say which are not.

Called by the asset commands and the demo, never during a run. Two processes that want the same
file fetch it once; an interrupted fetch leaves nothing that could be taken for the file.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filmcan.contract.issues import Issue, Report
from filmcan.errors import AssetError
from filmcan.models.cache import Cache, build_digest_error, hash_file, open_cache
from filmcan.models.sources.base import FetchOrder

if TYPE_CHECKING:
    from filmcan.models.catalog import Asset, AssetFile

OFFLINE_VARIABLE = "FILMCAN_OFFLINE"


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """One step of a fetch.

    Attributes:
        asset: The asset's name.
        file: The file's path inside the asset.
        step: `cached` (was there), `fetching` (from `source`, begins), `receiving` (bytes
            arrive), `fetched`.
        size_bytes: The file's size; None: not known.
        source: Where it comes from, in words; empty for `cached`.
        received_bytes: How many bytes are there so far, an earlier attempt's included.
    """

    asset: str
    file: str
    step: Literal["cached", "fetching", "receiving", "fetched"]
    size_bytes: int | None
    source: str = ""
    received_bytes: int = 0


OnProgress = Callable[[FetchProgress], None]


def fetch(
    asset: Asset, *, on_progress: OnProgress | None = None, cache: Cache | None = None
) -> dict[str, Path]:
    """Return where each of an asset's files lies, fetching those that are not there.

    Files already there are read through and checked as well.

    Args:
        asset: From a catalog.
        on_progress: Told of each step.
        cache: Another cache than the user's.

    Raises:
        AssetError: A digest is wrong (the file is removed) or not known, no source has the file,
            or fetching is switched off by `FILMCAN_OFFLINE`.
    """
    if asset.unknown_files:
        raise AssetError(
            "no catalog states the digest of "
            + ", ".join(file.path for file in asset.unknown_files),
            code="asset_digest_unknown",
            where=f"asset {asset.name}",
            hint="If you trust the source, run: "
            f"{build_pull_command(asset.name)} --accept-digest; it prints the entry to commit.",
        )
    cache = cache or open_cache()
    report = on_progress or _ignore
    with _opened(asset, cache) as work:
        return {file.path: _fetch_file(asset, file, cache, work, report) for file in asset.files}


def accept_digests(
    asset: Asset, *, on_progress: OnProgress | None = None, cache: Cache | None = None
) -> Asset:
    """Fetch the files whose digest is not known; return the asset with what they turned out to be.

    The files then lie in the cache under these digests. Nothing remembers them: until a catalog
    states them, the asset counts as not fetched.

    Raises:
        AssetError: No source has a file, or fetching is switched off by `FILMCAN_OFFLINE`.
    """
    cache = cache or open_cache()
    report = on_progress or _ignore
    with _opened(asset, cache) as work:
        files = tuple(
            file if file.sha256 is not None else _accept_file(asset, file, cache, work, report)
            for file in asset.files
        )
    return replace(asset, files=files)


def find_cached(file: AssetFile, *, cache: Cache | None = None) -> Path | None:
    """Return where a file lies, or None when it is absent or not of its size."""
    return (cache or open_cache()).find(file)


def get_cached(asset: Asset, *, cache: Cache | None = None) -> dict[str, Path]:
    """Return where each of an asset's files lies, without fetching anything.

    Raises:
        AssetError: One is absent or not of its size; the hint is the command that fetches it.
    """
    found = {file.path: find_cached(file, cache=cache) for file in asset.files}
    missing = [path for path, place in found.items() if place is None]
    if missing:
        raise AssetError(
            f"not fetched yet: {', '.join(missing)}",
            code="asset_missing",
            where=f"asset {asset.name}",
            hint=f"Run: {build_pull_command(asset.name)}",
        )
    return {path: place for path, place in found.items() if place is not None}


def verify(asset: Asset, *, cache: Cache | None = None) -> Report:
    """Read every file of an asset and compare it with the catalog; changes nothing."""
    cache = cache or open_cache()
    found = (_find_fault(asset, file, cache) for file in asset.files)
    return Report(tuple(issue for issue in found if issue is not None))


def build_pull_command(name: str) -> str:
    """Return the command that fetches an asset, for hints and notes."""
    return f"filmcan models pull {name}"


def _fetch_file(
    asset: Asset, file: AssetFile, cache: Cache, work: Path, report: OnProgress
) -> Path:
    with cache.locked(file):
        path = cache.find(file)
        if path is None:
            return cache.publish(file, _deliver(asset, file, cache, work, report))
        got = hash_file(path)
        if got != file.sha256:
            path.unlink()
            raise build_digest_error(
                file, got, hint="The damaged copy was removed from the cache: fetch it again."
            )
        report(FetchProgress(asset.name, file.path, "cached", file.size_bytes))
        return path


def _accept_file(
    asset: Asset, file: AssetFile, cache: Cache, work: Path, report: OnProgress
) -> AssetFile:
    with cache.locked(file):
        fetched = _deliver(asset, file, cache, work, report)
        known = replace(file, sha256=hash_file(fetched), size_bytes=fetched.stat().st_size)
        cache.publish(known, fetched)
        cache.drop_partial(file)
    return known


def _deliver(asset: Asset, file: AssetFile, cache: Cache, work: Path, report: OnProgress) -> Path:
    """Return a file as the first source that has it delivers it, unchecked."""
    partial = cache.partial(file)
    target = work / partial.name
    failures: list[AssetError] = []
    for source in file.sources:
        step = FetchProgress(asset.name, file.path, "fetching", file.size_bytes, source.describe())
        if source.needs_network and _is_offline():
            failures.append(
                AssetError(
                    f"{OFFLINE_VARIABLE} is set, so nothing is fetched",
                    code="asset_offline",
                    where=step.source,
                )
            )
            continue
        report(step)
        order = FetchOrder(
            file.size_bytes, file.sha256, work, partial, _build_counter(step, report)
        )
        try:
            source.fetch_to(target, order)
        except AssetError as error:
            target.unlink(missing_ok=True)
            failures.append(error)
            continue
        size_bytes = target.stat().st_size
        report(replace(step, step="fetched", received_bytes=size_bytes))
        return target
    raise _build_failure(asset, file, failures)


def _build_counter(step: FetchProgress, report: OnProgress) -> Callable[[int], None]:
    return lambda received: report(replace(step, step="receiving", received_bytes=received))


@contextlib.contextmanager
def _opened(asset: Asset, cache: Cache) -> Iterator[Path]:
    """Yield a workspace; what the disk refuses is told as such."""
    try:
        with cache.workspace() as work:
            yield work
    except OSError as error:
        raise AssetError(
            f"reading or writing failed: {error.strerror or error}",
            code="asset_cache",
            where=f"asset {asset.name}, cache {cache.root}",
            hint="Free space or mend its rights, or choose another folder with FILMCAN_CACHE.",
        ) from error


def _build_failure(asset: Asset, file: AssetFile, failures: list[AssetError]) -> AssetError:
    offline = all(failure.code == "asset_offline" for failure in failures)
    hints = [failure.hint for failure in failures if failure.hint]
    if offline:
        hints = [f"Unset {OFFLINE_VARIABLE} and run: {build_pull_command(asset.name)}"]
    return AssetError(
        "; ".join(f"{failure.where}: {failure.message}" for failure in failures),
        code="asset_offline" if offline else "asset_unreachable",
        where=f"asset {asset.name}, file {file.path}",
        hint=hints[0] if hints else "",
    )


def _find_fault(asset: Asset, file: AssetFile, cache: Cache) -> Issue | None:
    def issue(code: str, message: str) -> Issue:
        return Issue("error", code, file.path, message, where=f"asset {asset.name}")

    if file.sha256 is None:
        return issue("asset_digest_unknown", "no catalog states its digest, so it is not fetched")
    path = cache.path(file)
    try:
        size_bytes = path.stat().st_size
        if size_bytes != file.size_bytes:
            return issue("asset_size", f"expected {file.size_bytes} bytes, got {size_bytes}")
        got = hash_file(path)
    except FileNotFoundError:
        return issue("asset_missing", f"not fetched yet; run: {build_pull_command(asset.name)}")
    except OSError as error:
        return issue("asset_unreadable", f"cannot be read: {error.strerror or error}")
    if got != file.sha256:
        return issue("asset_digest", f"expected sha256 {file.sha256}, got {got}")
    return None


def _is_offline() -> bool:
    return os.environ.get(OFFLINE_VARIABLE, "").strip().lower() not in (
        "",
        "0",
        "false",
        "no",
        "off",
    )


def _ignore(progress: FetchProgress) -> None:
    """Take no notice of a step."""
