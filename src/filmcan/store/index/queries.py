"""Filters, order, pages and counts, as statements. What they find is checked by `index`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select

from filmcan.store.index.questions import Outcome, Paging, RunFilter
from filmcan.store.index.rows import COMPONENT_FACTS, RUN_FACTS
from filmcan.store.index.tables import COMPONENTS, RUNS

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

_RUN_COLUMNS = tuple(RUNS.c[name] for name in RUN_FACTS)
_COMPONENT_COLUMNS = tuple(COMPONENTS.c[name] for name in COMPONENT_FACTS)
_PATH = (RUNS.c.platform_id, RUNS.c.video_id, RUNS.c.run_id)
_CHUNK = 500
"""Fewer than any database's limit of parameters in one statement."""


def count_runs(connection: Connection, wanted: RunFilter) -> int:
    """Return how many runs a filter finds."""
    statement = _narrow(select(func.count()).select_from(RUNS), wanted)
    return int(connection.execute(statement).scalar_one())


FoundRun = tuple["Row[tuple[Any, ...]]", list[tuple[object, ...]]]
"""A run's row, led by id, stamp and checksum, and the rows of its components."""


def find_page(connection: Connection, wanted: RunFilter, paging: Paging) -> list[FoundRun]:
    """Return a page of runs."""
    columns = (RUNS.c.id, RUNS.c.stamp, RUNS.c.checksum, *_RUN_COLUMNS)
    statement = _narrow(select(*columns), wanted).order_by(*_build_order(paging))
    if paging.limit is not None:
        statement = statement.limit(paging.limit)
    if paging.offset:
        statement = statement.offset(paging.offset)
    runs = connection.execute(statement).all()
    components = _find_components(connection, [run.id for run in runs])
    return [(run, components.get(run.id, [])) for run in runs]


def find_latest_keys(connection: Connection) -> set[int]:
    """Return the keys of all videos' latest finished runs."""
    return set(connection.execute(select(RUNS.c.id).where(RUNS.c.is_latest)).scalars())


def count_by_status(connection: Connection, wanted: RunFilter) -> dict[str | None, int]:
    """Return status -> number of the runs that a filter finds; None are unfinished."""
    statement = _narrow(select(RUNS.c.status, func.count()).select_from(RUNS), wanted)
    rows = connection.execute(statement.group_by(RUNS.c.status))
    return {row[0]: row[1] for row in rows}


def count_outcomes(connection: Connection, wanted: RunFilter) -> list[Outcome]:
    """Return how the components of the runs ended, by component, status and reason."""
    keys = (COMPONENTS.c.name, COMPONENTS.c.status, COMPONENTS.c.empty_reason)
    statement = select(*keys, func.count()).group_by(*keys).order_by(keys[0], keys[1])
    conditions = _build_run_conditions(wanted)
    if conditions:
        statement = statement.join(RUNS, RUNS.c.id == COMPONENTS.c.run_key).where(*conditions)
    statement = statement.where(*_build_component_conditions(wanted))
    found = [Outcome(*row) for row in connection.execute(statement)]
    return sorted(found, key=lambda item: (item.component, item.status, item.reason or ""))


def _narrow(statement: Select, wanted: RunFilter) -> Select:  # type: ignore[type-arg]
    conditions = _build_run_conditions(wanted)
    of_component = _build_component_conditions(wanted)
    if of_component:
        found = select(COMPONENTS.c.run_key).where(*of_component)
        conditions.append(RUNS.c.id.in_(found))
    return statement.where(*conditions)


def _build_run_conditions(wanted: RunFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for name in ("platform_id", "video_id", "run_id"):
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(RUNS.c[name] == value)
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
    return conditions


def _build_component_conditions(wanted: RunFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for name, value in (
        ("name", wanted.component),
        ("status", wanted.component_status),
        ("empty_reason", wanted.reason),
        ("producer_version", wanted.producer_version),
        ("schema_version", wanted.schema_version),
    ):
        if value is not None:
            conditions.append(COMPONENTS.c[name] == value)
    if wanted.model_signature is not None:
        signature = COMPONENTS.c.model_signature
        conditions.append(signature.startswith(wanted.model_signature, autoescape=True))
    return conditions


def _build_text_condition(text: str) -> ColumnElement[bool]:
    folded = "".join(letter.lower() if letter.isascii() else letter for letter in text)

    def contains(column: ColumnElement[str]) -> ColumnElement[bool]:
        return func.lower(column).contains(folded, autoescape=True)

    component = COMPONENTS.alias()
    of_component = or_(contains(component.c.error), contains(component.c.notes))
    in_component = exists().where(and_(component.c.run_key == RUNS.c.id, of_component))
    return or_(*map(contains, (*_PATH, RUNS.c.source_name)), in_component)


def _build_order(paging: Paging) -> list[ColumnElement[Any]]:
    keys: list[ColumnElement[Any]] = list(_PATH)
    if paging.sort != "path":
        keys.insert(0, RUNS.c[paging.sort])
    ordered: list[ColumnElement[Any]] = [
        key.desc() if paging.descending else key.asc() for key in keys
    ]
    if paging.sort == "duration_sec":
        ordered.insert(0, RUNS.c.duration_sec.is_(None))  # unknown ones last, on every database
    return ordered


def _find_components(
    connection: Connection, keys: Sequence[int]
) -> dict[int, list[tuple[object, ...]]]:
    found: dict[int, list[tuple[object, ...]]] = {}
    for start in range(0, len(keys), _CHUNK):
        statement = (
            select(COMPONENTS.c.run_key, *_COMPONENT_COLUMNS)
            .where(COMPONENTS.c.run_key.in_(keys[start : start + _CHUNK]))
            .order_by(COMPONENTS.c.run_key, COMPONENTS.c.position)
        )
        for key, *facts in connection.execute(statement):
            found.setdefault(key, []).append(tuple(facts))
    return found
