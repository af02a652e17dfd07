"""What many runs say together."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from filmcan.operations.corpus import count_missingness, measure_corpus
from filmcan.server.answers import answer_json
from filmcan.server.routes.parameters import QueryOf, StateOf, tell
from filmcan.server.shapes import CorpusShape, Missingness

router = APIRouter(prefix="/api/v1/corpus", tags=["corpus"])
DEFAULT_RUNS = 500
MostRuns = Annotated[
    int, Query(ge=1, le=10_000, description="Of the matching runs, look at this many at most.")
]


@router.get("/missingness", responses=tell(Missingness, "How components ended."))
def get_missingness(state: StateOf, query: QueryOf) -> Response:
    """Count how the components of all matching runs ended, and why."""
    runs = state.search.find_all(query)
    return answer_json(
        {"runs": len(runs), "rows": [asdict(row) for row in count_missingness(runs)]}
    )


@router.get("/features/{name}", responses=tell(CorpusShape, "Distributions."))
def get_features(
    state: StateOf,
    query: QueryOf,
    name: Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._-]+$")],
    most_runs: MostRuns = DEFAULT_RUNS,
) -> Response:
    """Measure every feature of a component over the matching runs, in the order asked for."""
    paths = [run.summary.run_path for run in state.search.find_all(query)]
    corpus = measure_corpus(state.store, paths[:most_runs], name, state.features)
    return answer_json(
        {**asdict(corpus), "looked_at": min(len(paths), most_runs), "matching": len(paths)}
    )
