"""Delete a video, or one run of it, for good. The verb behind `filmcan delete`."""

from __future__ import annotations

from filmcan.contract.ids import parse_id
from filmcan.errors import InvalidIdError
from filmcan.store.deletion import Receipt, RemovedFile, survey_target
from filmcan.store.deletion import delete_video as delete_from
from filmcan.store.store import open_store

__all__ = ["Receipt", "RemovedFile", "delete_video", "survey_video"]


def survey_video(url: str, video: str, run_id: str | None = None) -> Receipt:
    """Return what deleting would remove now, without digests; nothing is changed.

    Raises:
        As `delete_video`.
    """
    platform_id, video_id = parse_video(video)
    target = f"{platform_id}/{video_id}"
    if run_id is not None:
        target = f"{target}/{parse_id('run_id', run_id)}"
    return survey_target(open_store(url, must_exist=True).backend, target)


def delete_video(url: str, video: str, run_id: str | None = None) -> Receipt:
    """Delete all that a store holds of a video, or of one run, and return what was removed.

    Args:
        url: Path or URL of the store.
        video: `platform_id/video_id`.
        run_id: Which run; None for all.

    Raises:
        InvalidIdError: An id is refused.
        ConflictError: The whole video is being deleted, and one run of it was asked for.
        InvalidContentError: A link stands where a folder should.
        StoreUnavailableError: There is no such store, its root has no format marker, or it refused.
    """
    platform_id, video_id = parse_video(video)
    backend = open_store(url, must_exist=True).backend
    return delete_from(backend, platform_id, video_id, run_id)


def parse_video(text: str) -> tuple[str, str]:
    """Return platform_id and video_id of `platform_id/video_id`.

    Raises:
        InvalidIdError: It is not of that form, or an id is refused.
    """
    platform_id, separator, video_id = text.partition("/")
    if not separator:
        raise InvalidIdError(
            f"{text[:80]!r} names no video", hint="Write PLATFORM/VIDEO, for example local/v1."
        )
    return parse_id("platform_id", platform_id), parse_id("video_id", video_id)
