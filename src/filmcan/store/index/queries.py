"""Filters, order, pages and counts, as statements. What they find is checked by `index`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, false, func, or_, select

from filmcan.store.index.questions import Outcome, Paging, RunFilter
from filmcan.store.index.rows import OUTCOME_COLUMNS, RUN_COLUMNS, RunRows, Values, fold
from filmcan.store.index.tables import (
    COMPONENTS,
    FACTS,
    NO_MANIFEST,
    OUTCOMES,
    RUNS,
    SET_ASIDE,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

_RUN_COLUMNS = tuple(RUNS.c[name] for name in RUN_COLUMNS)
_JOINED = COMPONENTS.join(OUTCOMES, OUTCOMES.c.id == COMPONENTS.c.outcome)
_COMPONENT_COLUMNS = (
    *(OUTCOMES.c[name] for name in OUTCOME_COLUMNS),
    COMPONENTS.c.model_signature,
)
_PATH = (RUNS.c.platform_id, RUNS.c.video_id, RUNS.c.run_id)
_HEAD = (RUNS.c.id, RUNS.c.stamp, RUNS.c.checksum, *_PATH)
_WHOLE = select(RUNS.c.id, RUNS.c.stamp, RUNS.c.checksum, FACTS.c.facts, *_RUN_COLUMNS).join(
    FACTS, FACTS.c.run_key == RUNS.c.id, isouter=True
)
_BEFORE = len(_WHOLE.selected_columns) - len(_RUN_COLUMNS)
_OUTCOME = (OUTCOMES.c.name, OUTCOMES.c.status, OUTCOMES.c.empty_reason)
_COUNTED = select(COMPONENTS.c.outcome, func.count().label("count"))
_STANDS_NOWHERE = re.compile("[\\0\ud800-\udfff]")
_CHUNK = 500
"""Fewer than any database's limit of parameters in one statement."""


def count_runs(connection: Connection, wanted: RunFilter) -> int:
    """Return how many runs a filter finds."""
    statement = _narrow(select(func.count()).select_from(RUNS), wanted)
    return int(connection.execute(statement).scalar_one())


@dataclass(frozen=True, slots=True)
class Head:
    """A run's key, the stamp and checksum of its manifest, and its path."""

    key: int
    stamp: str
    checksum: str
    path: str

    def is_of(self, rows: RunRows | None) -> bool:
        """Tell whether rows of the same run say what these did."""
        return rows is not None and rows.checksum == self.checksum


@dataclass(frozen=True, slots=True)
class FoundRun:
    """The rows of a run as a database gave them back; `verify` judges them.

    Attributes:
        head: Which run.
        columns: Values of `RUN_COLUMNS`.
        components: Values of `COMPONENT_COLUMNS` of each, in no order.
        facts: All that is known.
    """

    head: Head
    columns: Values
    components: Sequence[Values]
    facts: str


def find_page(connection: Connection, wanted: RunFilter, paging: Paging) -> list[FoundRun]:
    """Return a page of runs."""
    return _join_components(connection, _cut_whole(_WHOLE, wanted, paging))


def find_heads(connection: Connection, wanted: RunFilter, paging: Paging) -> list[Head]:
    """Return what tells the runs of a page from others, and from what they were."""
    statement = _cut_whole(select(*_HEAD), wanted, paging)
    return [read_head(row) for row in connection.execute(statement)]


def read_head(row: Any) -> Head:  # noqa: ANN401 - of any columns, these among them
    """Return the head of a run's row, whole or not."""
    path = f"{row.platform_id}/{row.video_id}/{row.run_id}"
    return Head(row.id, row.stamp, row.checksum, path)


def find_whole(connection: Connection, keys: Sequence[int]) -> list[FoundRun]:
    """Return the runs of some keys, in no order."""
    found = []
    for start in range(0, len(keys), _CHUNK):
        statement = _WHOLE.where(RUNS.c.id.in_(keys[start : start + _CHUNK]))
        found += _join_components(connection, statement)
    return found


def _join_components(connection: Connection, statement: Select) -> list[FoundRun]:  # type: ignore[type-arg]
    runs = connection.execute(statement).all()
    components = _find_components(connection, [run.id for run in runs])
    return [
        FoundRun(read_head(run), tuple(run)[_BEFORE:], components.get(run.id, ()), run.facts)
        for run in runs
    ]


def find_paths(connection: Connection, wanted: RunFilter, paging: Paging) -> list[str]:
    """Return the paths of a page of runs."""
    return ["/".join(row) for row in connection.execute(_cut(_PATH, wanted, paging))]


def find_latest_keys(connection: Connection) -> set[int]:
    """Return the keys of all videos' latest finished runs."""
    return set(connection.execute(select(RUNS.c.id).where(RUNS.c.is_latest)).scalars())


def count_by_status(connection: Connection, wanted: RunFilter) -> dict[str | None, int]:
    """Return status -> number of the runs that a filter finds; None are unfinished."""
    statement = _narrow(select(RUNS.c.status, func.count()).select_from(RUNS), wanted)
    rows = connection.execute(statement.group_by(RUNS.c.status))
    return {row[0]: row[1] for row in rows}


def count_outcomes(connection: Connection, wanted: RunFilter) -> list[Outcome]:
    """Return how the components that a filter is about ended, by component, status and reason."""
    components = _COUNTED
    of_runs = _build_run_conditions(wanted)
    if of_runs:
        components = components.join(RUNS, RUNS.c.id == COMPONENTS.c.run_key).where(*of_runs)
    return _list_outcomes(connection, components.where(*_build_component_conditions(wanted)))


def count_all_outcomes(
    connection: Connection, wanted: RunFilter, *, without: bool = False
) -> list[Outcome]:
    """Return how all components of the runs ended that a filter finds.

    Args:
        connection: To the database.
        wanted: Which runs.
        without: Rather of the runs that it does not find.
    """
    if wanted == RunFilter() and not without:
        return _list_outcomes(connection, _COUNTED)
    keys = _narrow(select(RUNS.c.id), wanted)
    if without:
        keys = select(RUNS.c.id).where(RUNS.c.id.not_in(keys.correlate(None)))
    return _list_outcomes(connection, _COUNTED.where(COMPONENTS.c.run_key.in_(keys)))


def _list_outcomes(connection: Connection, components: Select) -> list[Outcome]:  # type: ignore[type-arg]
    counted = components.group_by(COMPONENTS.c.outcome).subquery()
    count = func.sum(counted.c.count)
    statement = select(*_OUTCOME, count).join(counted, counted.c.outcome == OUTCOMES.c.id)
    rows = connection.execute(statement.group_by(*_OUTCOME))
    found = [Outcome(name, status, reason, int(count)) for name, status, reason, count in rows]
    return sorted(found, key=lambda item: (item.component, item.status, item.reason or ""))


def count_by_platform(connection: Connection) -> dict[str, int]:
    """Return platform -> number of its runs."""
    platform = RUNS.c.platform_id
    statement = select(platform, func.count()).group_by(platform).order_by(platform)
    return {row[0]: row[1] for row in connection.execute(statement)}


def count_set_aside(connection: Connection) -> dict[str, int]:
    """Return reason -> number of the manifests that give no run for it."""
    reason = SET_ASIDE.c.reason
    statement = select(reason, func.count()).where(reason != NO_MANIFEST).group_by(reason)
    return {row[0]: row[1] for row in connection.execute(statement)}


def list_components(connection: Connection) -> Sequence[str]:
    """Return the name of every component of any run, in order."""
    name = OUTCOMES.c.name
    return connection.execute(select(name).distinct().order_by(name)).scalars().all()


def _cut(columns: Sequence[ColumnElement[Any]], wanted: RunFilter, paging: Paging) -> Select:  # type: ignore[type-arg]
    """Return a statement for some columns of a page of runs, in order."""
    statement = _narrow(select(*columns), wanted).order_by(*_build_order(paging))
    return statement.limit(paging.limit).offset(paging.offset)


def _cut_whole(statement: Select, wanted: RunFilter, paging: Paging) -> Select:  # type: ignore[type-arg]
    """Return a statement for whole rows of a page of runs, in order.

    Which they are is found in an index alone; whole rows are read only of these.
    """
    keys = _cut((RUNS.c.id,), wanted, paging).correlate(None)
    return statement.where(RUNS.c.id.in_(keys)).order_by(*_build_order(paging))


def _narrow(statement: Select, wanted: RunFilter) -> Select:  # type: ignore[type-arg]
    conditions = _build_run_conditions(wanted)
    of_component = _build_component_conditions(wanted)
    if of_component:
        found = select(COMPONENTS.c.run_key).where(*of_component)
        conditions.append(RUNS.c.id.in_(found))
    return statement.where(*conditions)


def _build_run_conditions(wanted: RunFilter) -> list[ColumnElement[bool]]:
    if not _can_stand(wanted):
        return [false()]
    conditions: list[ColumnElement[bool]] = [
        RUNS.c[name] == value
        for name in ("platform_id", "video_id", "run_id")
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.status == "unfinished":
        conditions.append(RUNS.c.status.is_(None))
    elif wanted.status is not None:
        conditions.append(RUNS.c.status == wanted.status)
    if wanted.config_hash is not None:
        conditions.append(RUNS.c.config_hash.startswith(wanted.config_hash, autoescape=True))
    if wanted.created_from is not None:
        conditions.append(RUNS.c.created_at >= wanted.created_from)
    if wanted.created_before is not None:
        conditions.append(RUNS.c.created_at < wanted.created_before)
    if wanted.latest_only:
        conditions.append(RUNS.c.is_latest)
    if wanted.text is not None:
        conditions.append(_build_text_condition(wanted.text))
    conditions += map(_build_word_condition, wanted.words)
    return conditions


def _build_component_conditions(wanted: RunFilter) -> list[ColumnElement[bool]]:
    if not _can_stand(wanted):
        return [false()]
    of_outcome = [
        OUTCOMES.c[name] == value
        for name, value in (
            ("name", wanted.component),
            ("status", wanted.component_status),
            ("empty_reason", wanted.reason),
            ("producer_version", wanted.producer_version),
            ("schema_version", wanted.schema_version),
        )
        if value is not None
    ]
    conditions: list[ColumnElement[bool]] = []
    if of_outcome:
        conditions.append(COMPONENTS.c.outcome.in_(select(OUTCOMES.c.id).where(*of_outcome)))
    if wanted.model_signature is not None:
        signature = COMPONENTS.c.model_signature
        conditions.append(signature.startswith(wanted.model_signature, autoescape=True))
    return conditions


def _can_stand(wanted: RunFilter) -> bool:
    """Tell whether a column can hold what is asked for; a database refuses to be asked for more."""
    values = (getattr(wanted, item.name) for item in fields(wanted))
    return not any(isinstance(value, str) and _STANDS_NOWHERE.search(value) for value in values)


def _build_word_condition(word: str) -> ColumnElement[bool]:
    folded = word.lower()
    if not folded.isascii() or _STANDS_NOWHERE.search(folded):
        return false()  # ids are ASCII
    return RUNS.c.folded_path.contains(folded, autoescape=True)


def _build_text_condition(text: str) -> ColumnElement[bool]:
    folded = fold(text)
    return or_(
        *(
            column.contains(folded, autoescape=True)
            for column in (RUNS.c.folded_path, RUNS.c.folded_text)
        )
    )


def _build_order(paging: Paging) -> list[ColumnElement[Any]]:
    if paging.sort == "path":
        return [key.desc() if paging.descending else key.asc() for key in _PATH]
    key: ColumnElement[Any] = RUNS.c[paging.sort]
    if paging.sort == "status":
        key = func.coalesce(key, "unfinished")
    ordered: list[ColumnElement[Any]] = [key.desc() if paging.descending else key.asc(), *_PATH]
    if paging.sort == "duration_sec":  # no two databases agree where nothing stands
        ordered.insert(0, key.is_(None) if paging.unknown_last else key.is_not(None))
    return ordered


def _find_components(connection: Connection, keys: Sequence[int]) -> dict[int, list[Values]]:
    found: dict[int, list[Values]] = {}
    for start in range(0, len(keys), _CHUNK):
        some = COMPONENTS.c.run_key.in_(keys[start : start + _CHUNK])
        statement = select(COMPONENTS.c.run_key, *_COMPONENT_COLUMNS).select_from(_JOINED)
        for row in connection.execute(statement.where(some)).all():
            found.setdefault(row[0], []).append(tuple(row[1:]))
    return found
