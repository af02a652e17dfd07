"""How much room videos and components take. The verb behind `filmcan du`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from filmcan.store.store import open_store


@dataclass(frozen=True, slots=True)
class VideoUse:
    """What the runs of one video take.

    Attributes:
        platform_id: Where it is from.
        video_id: Which video.
        runs: How many runs it has.
        size_bytes: Of all artifacts of all of them.
        components: Component -> bytes.
    """

    platform_id: str
    video_id: str
    runs: int
    size_bytes: int
    components: dict[str, int]


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What a store takes, as its manifests say; housekeeping and garbage are not counted.

    Attributes:
        size_bytes: Of all artifacts.
        components: Component -> bytes, the greatest first.
        videos: The greatest first.
    """

    size_bytes: int
    components: dict[str, int]
    videos: tuple[VideoUse, ...]


def measure_disk_use(store: str) -> DiskUse:
    """Add up the sizes that all manifests of a store list.

    Raises:
        StoreUnavailableError: There is no such store, or it refused.
    """
    runs: Counter[tuple[str, str]] = Counter()
    sizes: dict[tuple[str, str], Counter[str]] = {}
    totals: Counter[str] = Counter()
    for run in open_store(store, must_exist=True).runs():
        video = (run.platform_id, run.video_id)
        runs[video] += 1
        found = sizes.setdefault(video, Counter())
        for record in run.manifest.components:
            size = sum(artifact.size_bytes for artifact in record.artifacts)
            found[record.name] += size
            totals[record.name] += size
    videos = [
        VideoUse(*video, runs[video], sum(found.values()), dict(found.most_common()))
        for video, found in sizes.items()
    ]
    videos.sort(key=lambda use: (-use.size_bytes, use.platform_id, use.video_id))
    return DiskUse(sum(totals.values()), dict(totals.most_common()), tuple(videos))
