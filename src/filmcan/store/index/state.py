"""What an index is true of: a store, a moment, the change marks of that moment."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select

from filmcan.store.index.tables import LAYOUT, RUNS, STATE
from filmcan.store.marks import Marks, build_marks, find_changed_slots, parse_marks

if TYPE_CHECKING:
    from sqlalchemy import Connection

SWEPT_ALWAYS_RUNS = 4_000
"""Up to so many runs every manifest's stamp is looked at before every answer."""
SWEPT_EVERY_SEC = 600.0
"""How long marks alone are trusted beyond that."""

_MOST_SLOTS = 400
"""Beyond, a look at everything is hardly dearer, and statements would grow too long."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class State:
    """What the index says of itself.

    Attributes:
        sync_id: Another one after each change.
        store_url: The store it was made from.
        boot_id: The start of the machine in which its marks hold; empty where none can be told.
        swept_at: When every stamp was last looked at, in seconds of this machine's clock.
        marks: The change marks before that look; None when there were none.
        runs: How many runs there are.
    """

    sync_id: str
    store_url: str
    boot_id: str
    swept_at: float
    marks: Marks | None
    runs: int

    @property
    def is_small(self) -> bool:
        """True when everything is looked at every time."""
        return self.runs <= SWEPT_ALWAYS_RUNS

    def find_dirty_slots(self, present: Marks | None) -> set[int] | None:
        """Return the slots to be looked at; None: everything must be."""
        age = time.time() - self.swept_at
        if (
            self.is_small
            or not self.boot_id
            or self.boot_id != read_boot_id()
            or not 0 <= age < SWEPT_EVERY_SEC
            or self.marks is None
            or present is None
        ):
            return None
        slots = find_changed_slots(self.marks, present)
        return None if slots is None or len(slots) > _MOST_SLOTS else slots

    def advance(self, marks: Marks | None, *, is_swept: bool, runs: int) -> State:
        """Return the state after a synchronisation."""
        swept_at = time.time() if is_swept else self.swept_at
        return replace(
            self,
            sync_id=secrets.token_hex(8),
            boot_id=read_boot_id(),
            swept_at=swept_at,
            marks=marks,
            runs=runs,
        )


def read_boot_id() -> str:
    """Return what tells this start of the machine from others; empty where nothing does."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def find_state(connection: Connection, store_url: str) -> State | None:
    """Return the state; None when the index is of another layout or another store."""
    rows = connection.execute(select(STATE)).all()
    if len(rows) != 1 or rows[0].layout != LAYOUT or rows[0].store_url != store_url:
        return None
    row = rows[0]
    return State(
        row.sync_id, row.store_url, row.boot_id, row.swept_at, parse_marks(row.marks), row.runs
    )


def write_state(connection: Connection, state: State) -> None:
    """Replace the state."""
    connection.execute(delete(STATE))
    connection.execute(
        insert(STATE).values(
            layout=LAYOUT,
            sync_id=state.sync_id,
            store_url=state.store_url,
            boot_id=state.boot_id,
            swept_at=state.swept_at,
            marks=build_marks(state.marks) if state.marks is not None else None,
            runs=state.runs,
        )
    )


def count_all_runs(connection: Connection) -> int:
    """Return how many runs the tables hold."""
    return connection.execute(select(func.count()).select_from(RUNS)).scalar_one()
