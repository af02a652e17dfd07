"""A file written on this machine's scratch space and uploaded once, when it is published."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO, Self, cast

from filmcan.errors import StoreUnavailableError
from filmcan.store.object_store.client import Client
from filmcan.store.object_store.swap import build_write_id


class ScratchFile:
    """A nameless temporary: it is gone with its process, however that ends."""

    file: BinaryIO

    def __init__(self, client: Client, folder: str) -> None:
        """Open it in the folder that `TMPDIR` names.

        Raises:
            StoreUnavailableError: There is no scratch space.
        """
        self._client = client
        self._folder = folder
        try:
            scratch = tempfile.TemporaryFile(prefix="filmcan-")  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise _refuse_scratch(error) from error
        self.file = cast("BinaryIO", scratch)

    @property
    def sync(self) -> Callable[[], None] | None:
        """None: what counts is the upload, which the bucket answers once it is durable."""
        return None

    def publish(self, path: str) -> None:
        """Upload; see `StagedFile.publish`."""
        if path.rpartition("/")[0] != self._folder:
            raise ValueError(f"staged for {self._folder}, not for {path}")
        write_id = build_write_id()
        try:
            size = self.file.seek(0, os.SEEK_END)
            self.file.seek(0)
        except OSError as error:
            raise _refuse_scratch(error) from error
        try:
            self._client.put(path, self.file, size, write_id)
        except StoreUnavailableError:
            found = self._client.find_head(path)
            if found is None or write_id not in found.writes:
                raise
            # Only the reply was lost: the file is there, whole.

    def __enter__(self) -> Self:
        """Return the staged file."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drop the scratch file."""
        with contextlib.suppress(OSError):
            self.file.close()
        if isinstance(error, OSError):
            raise _refuse_scratch(error) from error


def _refuse_scratch(error: OSError) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"the scratch space cannot be used: {error.strerror or error}",
        code="scratch_unusable",
        where=tempfile.gettempdir(),
        hint="Free some space there, or name another folder in TMPDIR.",
    )
