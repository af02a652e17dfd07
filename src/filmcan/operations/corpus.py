"""What many runs say together: distributions, what is missing and why, outliers, dead columns.

Features are read once per artifact and kept by its digest. The numbers are exact over the runs
looked at; how many that were stands in the answer.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from filmcan.errors import FilmcanError, NotFoundError
from filmcan.operations.run_files import find_artifact
from filmcan.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from filmcan.operations.run_search import Outcome
    from filmcan.store.run import Run

_BINS = 24
_MOST_OUTLIERS = 12
_FENCE = 3.0
"""Quartile distances beyond a quartile at which a value stands apart.

Source: Tukey, Exploratory Data Analysis (1977), section 2D: 1.5 is outside, 3 far out.
"""

_KEPT_ARTIFACTS = 100_000

State = Literal["varies", "constant", "never_measured"]


@dataclass(frozen=True, slots=True)
class FeatureColumn:
    """One feature over many runs.

    Attributes:
        name: The feature.
        count: Artifacts that have it.
        missing: Of these, NaN.
        state: Whether it says anything: `constant` and `never_measured` columns do not.
        low: Least value, None when none was measured. Likewise the others.
        lower_quartile: 25 % of the values are below.
        median: The middle one.
        upper_quartile: 75 % of the values are below.
        high: Greatest value.
        mean: Mean value.
        edges: Edges of the histogram's bins.
        bins: Values in each.
        outliers: Values far outside, with the path of their run; the farthest first.
    """

    name: str
    count: int
    missing: int
    state: State
    low: float | None
    lower_quartile: float | None
    median: float | None
    upper_quartile: float | None
    high: float | None
    mean: float | None
    edges: tuple[float, ...]
    bins: tuple[int, ...]
    outliers: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Missingness:
    """One way in which a component ended, and how often."""

    component: str
    status: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Corpus:
    """A component over many runs.

    Attributes:
        component: Which one.
        runs: Runs that have a record of it.
        unreadable: Of these, artifacts that are damaged.
        columns: Its features.
    """

    component: str
    runs: int
    unreadable: int
    columns: tuple[FeatureColumn, ...]


class FeatureReader:
    """Reads the features of artifacts and keeps them: an artifact never changes (C4.5)."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._lock = threading.Lock()
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._kept: OrderedDict[str, tuple[tuple[str, ...], np.ndarray]] = OrderedDict()

    def read(self, run: Run, component: str) -> tuple[tuple[str, ...], np.ndarray]:
        """Return names and values.

        Raises:
            NotFoundError: There is no artifact.
            InvalidContentError: It is damaged.
            StoreUnavailableError: The store refused.
        """
        digest = find_artifact(run, component).sha256
        with self._lock:
            if digest in self._kept:
                return self._kept[digest]
        with run[component] as artifact:
            features = artifact.features
        with self._lock:
            names = self._names.setdefault(tuple(features), tuple(features))
            row = (names, np.array(list(features.values()), np.float64))
            self._kept[digest] = row
            if len(self._kept) > _KEPT_ARTIFACTS:
                self._kept.popitem(last=False)
        return row


def order_missingness(outcomes: Iterable[Outcome]) -> tuple[Missingness, ...]:
    """Return how components ended, component by component, the most frequent first."""
    rows = (
        Missingness(item.component, item.status, item.reason or "", item.count) for item in outcomes
    )
    return tuple(sorted(rows, key=lambda row: (row.component, -row.count, row.status, row.reason)))


def measure_corpus(
    store: Store, paths: Sequence[str], component: str, reader: FeatureReader
) -> Corpus:
    """Return the distribution of every feature of a component over some runs.

    Raises:
        StoreUnavailableError: The store refused.
    """
    found: dict[str, list[float]] = {}
    owners: dict[str, list[str]] = {}
    runs = unreadable = 0
    for path in paths:
        try:
            names, values = reader.read(store.run(*path.split("/")), component)
        except NotFoundError:
            continue
        except FilmcanError:
            unreadable += 1
            continue
        runs += 1
        for name, value in zip(names, values.tolist(), strict=True):
            found.setdefault(name, []).append(value)
            owners.setdefault(name, []).append(path)
    columns = tuple(_measure(name, np.array(found[name]), owners[name]) for name in found)
    return Corpus(component, runs, unreadable, columns)


def _measure(name: str, values: np.ndarray, owners: list[str]) -> FeatureColumn:
    is_known = np.isfinite(values)
    known = values[is_known]
    missing = len(values) - len(known)
    if not len(known):
        return FeatureColumn(
            name, len(values), missing, "never_measured",
            None, None, None, None, None, None, (), (), (),
        )  # fmt: skip
    low, lower, median, upper, high = np.quantile(known, [0, 0.25, 0.5, 0.75, 1]).tolist()
    bins, edges = np.histogram(known, bins=_BINS if high > low else 1)
    return FeatureColumn(
        name=name,
        count=len(values),
        missing=missing,
        state="constant" if low == high and len(known) > 1 else "varies",
        low=low,
        lower_quartile=lower,
        median=median,
        upper_quartile=upper,
        high=high,
        mean=float(known.mean()),
        edges=tuple(edges.tolist()),
        bins=tuple(bins.tolist()),
        outliers=_find_outliers(values, is_known, owners, lower, upper),
    )


def _find_outliers(
    values: np.ndarray, is_known: np.ndarray, owners: list[str], lower: float, upper: float
) -> tuple[tuple[str, float], ...]:
    reach = _FENCE * (upper - lower)
    if not reach:
        return ()
    excess = np.maximum(lower - reach - values, values - upper - reach)
    far = np.flatnonzero(is_known & (excess > 0))
    order = far[np.argsort(-excess[far], kind="stable")][:_MOST_OUTLIERS]
    return tuple((owners[index], float(values[index])) for index in order.tolist())
