"""How `explain`, `du` and what is stale look as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from filmcan.cli.screen import print_table, print_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from filmcan.operations.disk_use import DiskUse
    from filmcan.operations.explain import ComponentStory, Difference, Explanation
    from filmcan.operations.stale import StaleReport

_MEGABYTE = 1_000_000
_SHOWN_CHARS = 40


def print_stale(report: StaleReport) -> None:
    """Print what the present profile would make anew, a line for each result."""
    print_text("")
    for result in report.results:
        place = f"{result.platform_id}/{result.video_id}"
        print_text(f"stale: {place} {result.component}: {_tell(result.differences)}")
    for name, count in report.missing.items():
        print_text(f"missing: {name} in {count} videos")
    print_text(f"{len(report.results)} stale results in {report.videos} videos.")


def print_disk_use(use: DiskUse, top: int) -> None:
    """Print what components take, then the videos that take most."""
    print_table(
        {"component": "left", "MB": "right"},
        [(name, f"{size / _MEGABYTE:.3f}") for name, size in use.components.items()],
    )
    print_text("")
    print_table(
        {"video": "left", "runs": "right", "MB": "right", "mostly": "left"},
        [
            (
                f"{item.platform_id}/{item.video_id}",
                str(item.runs),
                f"{item.size_bytes / _MEGABYTE:.3f}",
                next(iter(item.components), ""),
            )
            for item in use.videos[:top]
        ],
    )
    print_text("")
    print_text(f"{len(use.videos)} videos, {use.size_bytes / _MEGABYTE:.1f} MB of artifacts.")


def print_explanation(explanation: Explanation) -> None:
    """Print the story of each component."""
    print_text(explanation.run_path)
    for story in explanation.components:
        print_text("")
        print_text(f"{story.name}  {story.status}")
        print_text(f"  {_tell_origin(story)}")
        print_text(f"  {_tell_staleness(story)}")


def _tell_origin(story: ComponentStory) -> str:
    if story.reused_from_run_id is not None:
        return f"Carried: run {story.reused_from_run_id} computed it."
    if story.compared_with is None:
        return "Computed: no earlier run had it."
    if not story.changed:
        return f"Computed anew for the same key as in run {story.compared_with}."
    return f"Computed: since run {story.compared_with} {_tell(story.changed)}."


def _tell_staleness(story: ComponentStory) -> str:
    if story.stale is None:
        return "The present profile does not have it, or no key was recorded."
    if not story.stale:
        return "Up to date."
    return f"Stale: {_tell(story.stale)}."


def _tell(differences: Iterable[Difference]) -> str:
    return "; ".join(
        f"{item.part} changed from {_show(item.former)} to {_show(item.latest)}"
        for item in differences
    )


def _show(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 3]}..."
