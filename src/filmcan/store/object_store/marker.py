"""The format marker, and what a server must be able to do before anything is written to it.

Without conditional writes two writers lose each other's work, and without user metadata a lost
reply cannot be told from a lost race. Neither is believed: both are tried, on the marker itself,
with its own text, so that a server that fails the test is left as it was.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial

from filmcan.errors import ConflictError, NotFoundError, StoreUnavailableError
from filmcan.store.base import FORMAT_MARKER, FORMAT_TEXT, check_format
from filmcan.store.object_store.client import Client
from filmcan.store.object_store.failures import ConditionFailedError
from filmcan.store.object_store.records import Head
from filmcan.store.object_store.swap import TryAgainError, Version, build_write_id, repeat, swap

MARKER_LIMIT = 4096
_NO_TAG = '"0"'
_NO_VERSION = "1"
"""A tag and a version that no object has: tags are digests, versions are times or long."""


def write_marker(client: Client) -> None:
    """Write the marker where there is none, and find out whether the server can be written to.

    Raises:
        StoreUnavailableError: It holds a store of another format, it ignores conditions, it drops
            metadata, or it refused.
    """
    head = _find_marker(client)
    if head is None or not head.writes:  # none yet, or one that other tools copied here
        with contextlib.suppress(ConflictError):  # another process was faster
            swap(client, FORMAT_MARKER, FORMAT_TEXT, Version(head) if head is not None else None)
        head = _find_marker(client)
        if head is None or not head.writes:
            raise _refuse(client, "does not keep the metadata of objects", "no_metadata")
    for impossible in (None, replace(head, tag=_NO_TAG, version=head.version and _NO_VERSION)):
        repeat(client.tuning, partial(_try_impossible, client, impossible))


def _find_marker(client: Client) -> Head | None:
    try:
        head, found = client.get(FORMAT_MARKER, limit=MARKER_LIMIT)
    except NotFoundError:
        return None
    check_format(found, client.url)
    return head


def _try_impossible(client: Client, impossible: Head | None) -> None:
    try:
        client.put_if(FORMAT_MARKER, FORMAT_TEXT, impossible, (build_write_id(),))
    except ConditionFailedError:
        return
    except StoreUnavailableError as error:
        raise TryAgainError(error) from error
    raise _refuse(client, "ignores the conditions of conditional writes", "no_conditions")


def _refuse(client: Client, fault: str, code: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"the server {fault}: writers would lose each other's work",
        code=code,
        where=client.url,
        hint="Reading is safe. To write, use a server that honours If-Match and If-None-Match.",
    )
