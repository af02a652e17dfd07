"""Text embedding beside a bare loop over the same network: what tokens, cutting and pooling cost.

The bare loop is given the very batches that the component makes, as ready arrays, and does nothing
but run them. Called by `measure.py`; needs the weights: filmcan models pull all_minilm_l6_v2.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from filmcan.components.text.text_processor.embedder import Embedder
from filmcan.components.text.text_processor.embeddings import EmbeddingRules, embed_sources
from filmcan.components.text.text_processor.sources import read_sources
from filmcan.media.document import parse_document
from filmcan.models.execution import Execution
from filmcan.models.weights import find_missing_weights, get_weights

MODEL = "all_minilm_l6_v2"
WORDS = (
    *("the", "a", "rabbit", "meadow", "wakes", "up", "yawns", "sees", "butterflies"),
    *("morning", "sun", "and", "then", "he", "runs", "away"),
)
REPEATS = 5


def measure_text(_folder: Path) -> None:
    """Print how fast a document of 150 comments and ten minutes of speech is embedded."""
    missing = find_missing_weights(MODEL)
    if missing is not None:
        print(f"text embedding: not measured. {missing}")
        return
    rules = EmbeddingRules(MODEL, 256, 30.0, 512)
    embedder = Embedder(get_weights(MODEL), Execution(), rules.max_tokens)
    text = parse_document(_make_document())
    sources = read_sources(text, None, 2_000_000, 0.6)
    batches: list[dict[str, np.ndarray]] = []
    network = embedder._network  # noqa: SLF001 - the seam that is measured
    run = network.run

    def record(feeds: dict[str, np.ndarray], outputs: list[str]) -> dict[str, np.ndarray]:
        batches.append(feeds)
        return run(feeds, outputs)

    network.run = record  # type: ignore[assignment,method-assign]
    embed_sources(text, sources, embedder, rules)
    network.run = run  # type: ignore[method-assign]

    def run_bare() -> None:
        for feeds in batches:
            network.run(feeds, ["last_hidden_state"])

    ours_sec, bare_sec = _best_of_both(
        lambda: embed_sources(text, sources, embedder, rules), run_bare
    )
    tokens = sum(int(feeds["attention_mask"].sum()) for feeds in batches)
    print(
        f"text embedding, {tokens} tokens in {len(batches)} batches: {tokens / ours_sec:.0f} "
        f"tokens a CPU second, {bare_sec / ours_sec:.1%} of a bare loop   (goal: 90 %)"
    )


def _best_of_both(ours: Callable[[], object], bare: Callable[[], object]) -> tuple[float, float]:
    """Return the least CPU time of each, taken in turns: both sides see the same machine.

    Both run on one thread, so CPU time is what they take, whatever else the machine does.
    """
    times: dict[Callable[[], object], list[float]] = {ours: [], bare: []}
    for _ in range(REPEATS):
        for call, taken in times.items():
            start = time.process_time()
            call()
            taken.append(time.process_time() - start)
    return min(times[ours]), min(times[bare])


def _make_document() -> dict[str, object]:
    random = np.random.default_rng(7)

    def write(count: int) -> str:
        return " ".join(random.choice(WORDS, count)) + "."

    return {
        "title": write(9),
        "description": "\n".join(write(20) for _ in range(12)),
        "tags": list(WORDS[2:8]),
        "comments": [{"text": write(int(random.integers(2, 40)))} for _ in range(150)],
        "transcript": [
            {"start_sec": 4.0 * n, "end_sec": 4.0 * n + 3.8, "text": write(10)} for n in range(150)
        ],
        "language": "en",
    }
