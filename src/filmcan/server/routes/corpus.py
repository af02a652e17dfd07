"""What many runs say together."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from filmcan.operations.corpus import measure_corpus, order_missingness
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
    matching = state.search.find_all(query)
    rows = [asdict(row) for row in order_missingness(matching.outcomes)]
    return answer_json({"runs": matching.total, "rows": rows})


@router.get("/features/{name}", responses=tell(CorpusShape, "Distributions."))
def get_features(
    state: StateOf,
    query: QueryOf,
    name: Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._-]+$")],
    most_runs: MostRuns = DEFAULT_RUNS,
) -> Response:
    """Measure every feature of a component over the matching runs, in the order asked for."""
    matching = state.search.find_all(query, most_runs)
    corpus = measure_corpus(state.store, matching.paths, name, state.features)
    return answer_json(
        {**asdict(corpus), "looked_at": len(matching.paths), "matching": matching.total}
    )
