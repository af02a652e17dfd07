"""What an index knows of a store's folders and manifests, loaded for one comparison."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import and_, select

from filmcan.store.index.tables import FOLDERS, RUNS, SET_ASIDE
from filmcan.store.marks import find_slot

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Table

_MOST_SLOTS = 400
"""More at once make statements too long; then everything is loaded."""
NO_SLOT = -1
"""Of root, platforms and tombstones, which are looked at every time."""


@dataclass(slots=True)
class Known:
    """Stamps as they were.

    Attributes:
        places: Root, platforms, the tombstones' folder and each tombstone: path -> stamp.
        videos: Path of a video's folder -> stamp.
        runs: Path of a video -> run id -> the manifest's stamp, whatever the manifest gave.
        keys: Path of a run -> its key, where it gave a run.
        slots: Slots of which all videos were loaded; None: of all.
    """

    places: dict[str, str] = field(default_factory=dict)
    videos: dict[str, str] = field(default_factory=dict)
    runs: dict[str, dict[str, str]] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    slots: set[int] | None = field(default_factory=set)


class Knowledge:
    """Loads what an index knows, as far as it is asked for."""

    def __init__(self, connection: Connection) -> None:
        """Load what is looked at every time."""
        self._connection = connection
        self.loaded = Known(dict(self._select(FOLDERS, FOLDERS.c.slot == NO_SLOT)))

    def load_all(self) -> None:
        """Load all that is known, once: what follows needs the database no more."""
        if self.loaded.slots is None:
            return
        self.loaded.videos = dict(self._select(FOLDERS, FOLDERS.c.slot != NO_SLOT))
        self._load_runs(None)
        self.loaded.slots = None

    def load_slots(self, slots: set[int]) -> None:
        """Load what is known of the videos in some slots."""
        if self.loaded.slots is None or slots <= self.loaded.slots:
            return
        missing = slots - self.loaded.slots
        if len(missing) > _MOST_SLOTS:
            self.load_all()
            return
        self.loaded.videos.update(self._select(FOLDERS, FOLDERS.c.slot.in_(missing)))
        self._load_runs(missing)
        self.loaded.slots |= missing

    def load_videos(self, videos: Iterable[str]) -> None:
        """Load what is known of some videos."""
        if self.loaded.slots is not None:
            self.load_slots({find_slot(video) for video in videos})

    def find_videos(self, platform: str) -> set[str]:
        """Return the paths of all known videos of a platform."""
        if self.loaded.slots is None:
            return {path for path in self.loaded.videos if path.startswith(f"{platform}/")}
        path = FOLDERS.c.path
        of_platform = and_(path > f"{platform}/", path < f"{platform}0")  # 0 follows / in ASCII
        return {path for path, _ in self._select(FOLDERS, FOLDERS.c.slot != NO_SLOT, of_platform)}

    def _select(self, table: Table, *conditions: ColumnElement[bool]) -> list[tuple[str, str]]:
        statement = select(table.c.path, table.c.stamp).where(*conditions)
        return [(path, stamp) for path, stamp in self._connection.execute(statement)]

    def _load_runs(self, slots: set[int] | None) -> None:
        known = self.loaded
        columns = (RUNS.c.id, RUNS.c.platform_id, RUNS.c.video_id, RUNS.c.run_id, RUNS.c.stamp)
        statement = select(*columns)
        if slots is not None:
            statement = statement.where(RUNS.c.slot.in_(slots))
        for key, platform_id, video_id, run_id, stamp in self._connection.execute(statement):
            video = f"{platform_id}/{video_id}"
            known.runs.setdefault(video, {})[run_id] = stamp
            known.keys[f"{video}/{run_id}"] = key
        aside = () if slots is None else (SET_ASIDE.c.slot.in_(slots),)
        for path, stamp in self._select(SET_ASIDE, *aside):
            video, _, run_id = path.rpartition("/")
            known.runs.setdefault(video, {})[run_id] = stamp
