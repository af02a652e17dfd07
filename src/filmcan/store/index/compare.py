"""Compare a store with what its index knows: what has to be read, what has to go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from filmcan.store.index.reading import Look
from filmcan.store.index.scan import UNKNOWN
from filmcan.store.marks import find_slot
from filmcan.store.tombstones import TOMBSTONES, build_tombstone_path

if TYPE_CHECKING:
    from filmcan.store.index.known import Knowledge
    from filmcan.store.index.scan import Listed, Scanner

ROOT = ""

_STEP = 1000

Progress = Callable[[float, str], None]


@dataclass(slots=True)
class Differences:
    """What an index must take over from the store.

    Attributes:
        looks: Manifests to be read: new, changed, or of unknown stamp.
        gone: Runs to be forgotten, given or set aside.
        bare: Folders of runs without a manifest, which may get one.
        places: Changed stamps of root, platforms and tombstones; None: it is gone.
        videos: Changed stamps of videos' folders; None: it is gone.
        checked: How many manifests were looked at.
    """

    looks: list[Look] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)
    places: dict[str, str | None] = field(default_factory=dict)
    videos: dict[str, str | None] = field(default_factory=dict)
    checked: int = 0

    def __bool__(self) -> bool:
        """Tell whether there is anything to take over."""
        return bool(self.looks or self.gone or self.bare or self.places or self.videos)


class Comparison:
    """One look at a store, told from what its index knows."""

    def __init__(self, scanner: Scanner, knowledge: Knowledge) -> None:
        """Take both sides."""
        self._scanner = scanner
        self._knowledge = knowledge
        self._known = knowledge.loaded
        self._forced: set[str] = set()
        self._found = Differences()

    def compare(self, slots: set[int] | None, videos: set[str], progress: Progress) -> Differences:
        """Return the differences.

        Args:
            slots: Slots whose videos are looked at; None: all videos are.
            videos: Others that are looked at in any case.
            progress: Told the share of videos done and the present one.
        """
        if slots is None:
            self._knowledge.load_all()
            wanted = videos | self._known.videos.keys()
        else:
            self._knowledge.load_slots(slots)
            wanted = videos | {path for path in self._known.videos if find_slot(path) in slots}
        tombstones = self._compare_tombstones()
        wanted |= self._compare_platforms(tombstones, is_full=slots is None)
        self._knowledge.load_videos(wanted)
        ordered = sorted(wanted)
        for start in range(0, len(ordered), _STEP):
            progress(start / len(ordered), ordered[start])
            self._compare_videos(ordered[start : start + _STEP])
        return self._found

    def _compare_platforms(self, tombstones: set[str], *, is_full: bool) -> set[str]:
        """Return the videos that are new, gone, or concerned by changed tombstones."""
        former = {path for path in self._known.places if path and not path.startswith(TOMBSTONES)}
        platforms, has_changed = self._list_changed(ROOT, is_full=is_full)
        platforms = platforms if has_changed else former
        videos: set[str] = set()
        for platform in former - platforms:
            self._found.places[platform] = None
            videos |= self._knowledge.find_videos(platform)
        for platform in platforms:
            present, has_changed = self._list_changed(platform, is_full=is_full)
            if has_changed or tombstones:
                known = self._knowledge.find_videos(platform)
                videos |= present ^ known if has_changed else set()
                self._forced |= {
                    video
                    for video in present | known
                    if tombstones and build_tombstone_path(video) in tombstones
                }
        return videos | self._forced

    def _list_changed(self, path: str, *, is_full: bool) -> tuple[set[str], bool]:
        """Return the paths of the folders in a place, and whether it had to be listed."""
        stamp = self._scanner.find_folder_stamp(path)
        if not is_full and stamp != UNKNOWN and self._known.places.get(path) == stamp:
            return set(), False
        listed = self._scanner.list_folders(path)
        self._note_place(path, listed.stamp)
        prefix = f"{path}/" if path else ""
        return {f"{prefix}{name}" for name in listed.names}, True

    def _note_place(self, path: str, stamp: str) -> None:
        if self._known.places.get(path) != stamp:
            self._found.places[path] = stamp

    def _compare_tombstones(self) -> set[str]:
        """Return the paths of tombstones that are new, changed or gone."""
        stamp = self._scanner.find_folder_stamp(TOMBSTONES)
        if stamp != UNKNOWN and self._known.places.get(TOMBSTONES) == stamp:
            return set()
        listed = self._scanner.list_tombstones()
        self._note_place(TOMBSTONES, listed.stamp)
        present = {f"{TOMBSTONES}/{name}": stamp for name, stamp in listed.names.items()}
        known = self._known.places
        changed = {
            path for path, stamp in present.items() if stamp == UNKNOWN or known.get(path) != stamp
        }
        for path in changed:
            self._note_place(path, present[path])
        gone = {path for path in known if path.startswith(f"{TOMBSTONES}/")} - present.keys()
        self._found.places.update(dict.fromkeys(gone))
        return changed | gone

    def _compare_videos(self, videos: Sequence[str]) -> None:
        paths: list[str] = []
        listings = self._scanner.look_at_each(self._list_changed_video, videos)
        for video, listed in zip(videos, listings, strict=True):
            run_ids: Iterable[str] = self._known.runs.get(video, {})
            if listed is not None:
                self._note_video(video, listed)
                run_ids = listed.names
            paths += [f"{video}/{run_id}" for run_id in run_ids]
        stamps = self._scanner.look_at_each(self._scanner.find_manifest_stamp, paths)
        for path, stamp in zip(paths, stamps, strict=True):
            self._compare_run(path, stamp)

    def _list_changed_video(self, video: str) -> Listed | None:
        """Return the runs of a video; None where they are those that are known."""
        stamp = self._scanner.find_folder_stamp(video)
        if stamp != UNKNOWN and self._known.videos.get(video) == stamp:
            return None
        return self._scanner.list_folders(video)

    def _note_video(self, video: str, listed: Listed) -> None:
        is_there = bool(listed.names) or listed.stamp != UNKNOWN
        present = listed.stamp if is_there else None
        if present != self._known.videos.get(video):
            self._found.videos[video] = present
        gone = self._known.runs.get(video, {}).keys() - listed.names.keys()
        self._found.gone += [f"{video}/{name}" for name in gone]

    def _compare_run(self, path: str, stamp: str | None) -> None:
        self._found.checked += 1
        video, _, run_id = path.rpartition("/")
        former = self._known.runs.get(video, {}).get(run_id)
        force = video in self._forced
        if stamp is None:
            if former is None or path in self._known.keys:
                self._found.bare.append(path)
        elif force or stamp == UNKNOWN or former != stamp:
            self._found.looks.append(Look(path, stamp))
