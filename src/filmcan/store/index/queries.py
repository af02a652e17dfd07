"""Filters, order, pages and counts, as statements. What they find is checked by `index`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, literal, or_, select

from filmcan.store.index.questions import Outcome, Paging, RunFilter
from filmcan.store.index.rows import COMPONENT_FACTS, RUN_FACTS, RunRows
from filmcan.store.index.tables import COMPONENTS, NO_MANIFEST, RUNS, SET_ASIDE

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

_RUN_COLUMNS = tuple(RUNS.c[name] for name in RUN_FACTS)
_COMPONENT_COLUMNS = tuple(COMPONENTS.c[name] for name in COMPONENT_FACTS)
_PATH = (RUNS.c.platform_id, RUNS.c.video_id, RUNS.c.run_id)
_HEAD = (RUNS.c.id, RUNS.c.stamp, RUNS.c.checksum, *_PATH)
_WHOLE = select(RUNS.c.id, RUNS.c.stamp, RUNS.c.checksum, *_RUN_COLUMNS)
_OUTCOME = (COMPONENTS.c.name, COMPONENTS.c.status, COMPONENTS.c.empty_reason)
_OUTCOMES = select(*_OUTCOME, func.count()).group_by(*_OUTCOME)
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


FoundRun = tuple["Row[tuple[Any, ...]]", list[tuple[object, ...]]]
"""A run's row, led by id, stamp and checksum, and the rows of its components."""


def find_page(connection: Connection, wanted: RunFilter, paging: Paging) -> list[FoundRun]:
    """Return a page of runs."""
    statement = _narrow(_WHOLE, wanted).order_by(*_build_order(paging))
    return _join_components(connection, statement.limit(paging.limit).offset(paging.offset))


def find_heads(connection: Connection, wanted: RunFilter, paging: Paging) -> list[Head]:
    """Return what tells the runs of a page from others, and from what they were."""
    # Which they are is found in an index alone; whole rows are read only of these.
    keys = _cut((RUNS.c.id,), wanted, paging).correlate(None)
    statement = select(*_HEAD).where(RUNS.c.id.in_(keys)).order_by(*_build_order(paging))
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
    return [(run, components.get(run.id, [])) for run in runs]


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
    statement = _OUTCOMES
    of_runs = _build_run_conditions(wanted)
    if of_runs:
        statement = statement.join(RUNS, RUNS.c.id == COMPONENTS.c.run_key).where(*of_runs)
    statement = statement.where(*_build_component_conditions(wanted))
    return _list_outcomes(connection, statement)


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
        return _list_outcomes(connection, _OUTCOMES)
    keys = _narrow(select(RUNS.c.id), wanted)
    if without:
        keys = select(RUNS.c.id).where(RUNS.c.id.not_in(keys.correlate(None)))
    return _list_outcomes(connection, _OUTCOMES.where(COMPONENTS.c.run_key.in_(keys)))


def _list_outcomes(connection: Connection, statement: Select) -> list[Outcome]:  # type: ignore[type-arg]
    found = [Outcome(*row) for row in connection.execute(statement)]
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


def list_components(connection: Connection) -> Iterator[str]:
    """Yield the name of every component of any run, in order: a step into an index for each."""
    name = COMPONENTS.c.name
    found = connection.execute(select(func.min(name))).scalar_one()
    while found is not None:
        yield found
        found = connection.execute(select(func.min(name)).where(name > found)).scalar_one()


def _cut(columns: Sequence[ColumnElement[Any]], wanted: RunFilter, paging: Paging) -> Select:  # type: ignore[type-arg]
    """Return a statement for some columns of a page of runs, in order."""
    statement = _narrow(select(*columns), wanted).order_by(*_build_order(paging))
    return statement.limit(paging.limit).offset(paging.offset)


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


def _can_stand(wanted: RunFilter) -> bool:
    """Tell whether a column can hold what is asked for; a database refuses to be asked for more."""
    values = (getattr(wanted, item.name) for item in fields(wanted))
    return not any(isinstance(value, str) and _STANDS_NOWHERE.search(value) for value in values)


def _build_word_condition(word: str) -> ColumnElement[bool]:
    folded = word.lower()
    if not folded.isascii() or _STANDS_NOWHERE.search(folded):
        return false()  # ids are ASCII
    slash = literal("/")
    return _contains(_PATH[0] + slash + _PATH[1] + slash + _PATH[2], folded)


def _contains(text: ColumnElement[str], folded: str) -> ColumnElement[bool]:
    return func.lower(text).contains(folded, autoescape=True)


def _build_text_condition(text: str) -> ColumnElement[bool]:
    folded = "".join(letter.lower() if letter.isascii() else letter for letter in text)
    component = COMPONENTS.alias()
    of_component = or_(*(_contains(component.c[name], folded) for name in ("error", "notes")))
    in_component = exists().where(and_(component.c.run_key == RUNS.c.id, of_component))
    columns = (*_PATH, RUNS.c.source_name)
    return or_(*(_contains(column, folded) for column in columns), in_component)


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
        for row in connection.execute(statement).all():
            found.setdefault(row[0], []).append(tuple(row[1:]))
    return found
