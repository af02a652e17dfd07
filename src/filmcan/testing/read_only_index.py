"""An index in a file that can be read and not written, as on a disk that is mounted so."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from filmcan.store.index.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from sqlalchemy import Connection


def refuse_index_writes(patch: pytest.MonkeyPatch) -> None:
    """Have SQLite itself refuse every write into a file from here on."""
    real = Database.write

    @contextmanager
    def write(self: Database) -> Iterator[Connection]:
        with real(self) as connection:
            if self.is_file:
                connection.exec_driver_sql("PRAGMA query_only = ON")
            yield connection

    patch.setattr(Database, "write", write)
