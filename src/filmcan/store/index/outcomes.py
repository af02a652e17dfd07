"""The table of outcomes: each way in which a component ended, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, select

from filmcan.store.index.rows import OUTCOME_COLUMNS, Values
from filmcan.store.index.tables import COMPONENTS, OUTCOMES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from filmcan.store.index.database import Database

_SIZE = len(OUTCOME_COLUMNS)


class OutcomeKeys:
    """Knows the key of each outcome, and makes one for each that is new."""

    def __init__(self, connection: Connection) -> None:
        """Load what the table holds."""
        columns = (OUTCOMES.c[name] for name in OUTCOME_COLUMNS)
        rows = connection.execute(select(OUTCOMES.c.id, *columns))
        self._keys: dict[Values, int] = {tuple(values): key for key, *values in rows}
        self._next = max(self._keys.values(), default=0) + 1
        self._new: list[Values] = []

    def build_row(self, run_key: int, component: Values) -> Values:
        """Return the row of a component from its values of `COMPONENT_COLUMNS`."""
        outcome = component[:_SIZE]
        key = self._keys.get(outcome)
        if key is None:
            key = self._keys[outcome] = self._next
            self._next += 1
            self._new.append((key, *outcome))
        return run_key, key, component[_SIZE]

    def write(self, connection: Connection, database: Database) -> None:
        """Insert what is new; before the components that name it."""
        database.insert(connection, OUTCOMES, ("id", *OUTCOME_COLUMNS), self._new)
        self._new = []


def forget_unused(connection: Connection) -> None:
    """Remove the outcomes in which no component ends any more."""
    used = exists().where(COMPONENTS.c.outcome == OUTCOMES.c.id)
    connection.execute(delete(OUTCOMES).where(~used))
