"""One embedding for each source of text, and how the sources agree by meaning.

Called by `component.py`. A source that is longer than the embedder takes is cut into chunks whose
vectors are averaged by their tokens; a comment is a chunk of its own and counts as much as any
other. A source that says nothing has no vector: the embedder would give one even for no text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.text.text_processor.chunking import Chunk, cut_text, cut_transcript
from filmcan.components.text.text_processor.embedder import ENGLISH_ONLY, Embedder
from filmcan.components.text.text_processor.sources import SOURCES, SourceText, cut_segments
from filmcan.components.text.text_processor.tokens import clean_text
from filmcan.components.unit_vectors import compare_neighbours, find_mean_direction
from filmcan.contract.missing import NO_TEXT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filmcan.media.document import TextSources

COSINE_NAMES = (
    *(f"{one}_{other}_cosine" for one, other in combinations(SOURCES, 2)),
    "title_transcript_cosine_max",
    "transcript_chunk_count",
    "transcript_cosine_prev_mean",
    "transcript_coherence",
    "comments_coherence",
)
"""Features of the embeddings, in the order of the schema."""

NO_EMBEDDER = "none"

PRIMARY = ("title", "description", "transcript", "ocr", "comments", "tags")
"""Whose vector stands for the video: the first of these that has one. A title is what an author
says the video is about, in one sentence, which is what the embedders were trained on."""


@dataclass(frozen=True, slots=True)
class EmbeddingRules:
    """By what, and what of long sources, is embedded.

    Attributes:
        model: Name of the asset; `none` switches embeddings off.
        max_tokens: Longest input of the embedder, special tokens included.
        chunk_sec: A chunk of a timed transcript lasts no longer.
        max_chunks: Of each source; comments beyond it are left out evenly, other text at its end.
    """

    model: str
    max_tokens: int
    chunk_sec: float
    max_chunks: int

    @property
    def enabled(self) -> bool:
        """Whether anything is embedded."""
        return self.model != NO_EMBEDDER


@dataclass(slots=True)
class _Embedded:
    """One source, embedded.

    Attributes:
        chunks: Those that have a vector.
        vectors: float32[K, E], one each.
        weights: float64[K], how much each counts.
        is_cut: True when the source had more chunks.
    """

    chunks: list[Chunk]
    vectors: NDArray[np.float32]
    weights: NDArray[np.float64]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Embeddings:
    """What the component adds to its artifact.

    Attributes:
        arrays: By key.
        features: By the names of `COSINE_NAMES`.
        notes: Sentences for the manifest.
    """

    arrays: dict[str, np.ndarray]
    features: dict[str, float]
    notes: tuple[str, ...] = field(default=())


def embed_sources(
    text: TextSources,
    sources: Mapping[str, SourceText],
    embedder: Embedder,
    rules: EmbeddingRules,
) -> Embeddings:
    """Embed all sources that are there.

    Raises:
        ComponentFailedError: The network gave a vector that is zero or not finite.
    """
    cut = {
        source: _cut_source(source, text, found, embedder, rules)
        for source, found in sources.items()
    }
    chunks = [chunk for pieces, _ in cut.values() for chunk in pieces]
    vectors, tokens = embedder.embed([chunk.text for chunk in chunks])
    embedded: dict[str, _Embedded] = {}
    start = 0
    for source, (pieces, is_cut) in cut.items():
        places = [start + place for place in range(len(pieces)) if tokens[start + place]]
        start += len(pieces)
        if places:
            weights = tokens[places].astype(np.float64)
            if source == "comments":
                weights = np.ones(len(places))
            kept = [chunks[place] for place in places]
            embedded[source] = _Embedded(kept, vectors[places], weights, is_cut)
    directions = {
        source: found
        for source, entry in embedded.items()
        if (found := find_mean_direction(entry.vectors, entry.weights)[0]) is not None
    }
    arrays = _build_arrays(directions, embedded.get("transcript"), embedder.size)
    notes = [
        f"{source}: only {len(entry.chunks)} chunks were embedded, the profile's max_chunks."
        for source, entry in embedded.items()
        if entry.is_cut
    ]
    notes += _warn_of_language(embedder, sources)
    return Embeddings(arrays, _build_features(directions, embedded), tuple(notes))


def _cut_source(
    source: str,
    text: TextSources,
    found: SourceText,
    embedder: Embedder,
    rules: EmbeddingRules,
) -> tuple[list[Chunk], bool]:
    """Return what to embed of a source, and whether it is not all of it."""
    tokenizer = embedder.tokenizer
    if source == "transcript" and text.transcript is not None:
        segments = cut_segments(text.transcript.segments, found)
        return cut_transcript(segments, tokenizer, rules.chunk_sec, rules.max_chunks)
    if source == "comments" and text.comments is not None:
        said = [clean_text(item.text) for item in text.comments[: found.used_parts]]
        said = [item for item in said if item]
        step = max(1, math.ceil(len(said) / rules.max_chunks))
        return [Chunk(item) for item in said[::step]], step > 1
    running = found.tokens.text
    if source == "tags":
        running = ", ".join(running.split("\n"))
    return cut_text(running, tokenizer, rules.max_chunks)


def _build_arrays(
    directions: Mapping[str, NDArray[np.float32]], transcript: _Embedded | None, size: int
) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    primary = next((source for source in PRIMARY if source in directions), None)
    absent = np.full(size, np.nan, np.float32)
    arrays["primary_embedding"] = absent if primary is None else directions[primary]
    arrays["primary_embedding_present"] = np.array(primary is not None)
    arrays["primary_embedding_source"] = np.array(primary or "")
    arrays["embeddings_empty_reason"] = np.array(NO_TEXT if primary is None else "")
    for source in SOURCES:
        arrays[f"{source}_embedding"] = directions.get(source, absent)
        arrays[f"{source}_embedding_present"] = np.array(source in directions)
    chunks: Sequence[Chunk] = () if transcript is None else transcript.chunks
    vectors = np.zeros((0, size), np.float32) if transcript is None else transcript.vectors
    arrays["transcript_chunk_embeddings"] = vectors
    arrays["transcript_chunk_start_sec"] = np.array(
        [chunk.start_sec for chunk in chunks], np.float32
    )
    arrays["transcript_chunk_end_sec"] = np.array([chunk.end_sec for chunk in chunks], np.float32)
    return arrays


def _build_features(
    directions: Mapping[str, NDArray[np.float32]], embedded: Mapping[str, _Embedded]
) -> dict[str, float]:
    features = dict.fromkeys(COSINE_NAMES, math.nan)
    for one, other in combinations(SOURCES, 2):
        if one in directions and other in directions:
            features[f"{one}_{other}_cosine"] = _compare(directions[one], directions[other])
    transcript, comments = embedded.get("transcript"), embedded.get("comments")
    if transcript is not None:
        neighbours = compare_neighbours(transcript.vectors)[1:].astype(np.float64)
        features["transcript_chunk_count"] = float(len(transcript.chunks))
        features["transcript_coherence"] = find_mean_direction(transcript.vectors)[1]
        if neighbours.size:
            features["transcript_cosine_prev_mean"] = float(neighbours.mean())
        if "title" in directions:
            features["title_transcript_cosine_max"] = max(
                _compare(directions["title"], vector) for vector in transcript.vectors
            )
    if comments is not None:
        features["comments_coherence"] = find_mean_direction(comments.vectors)[1]
    return features


def _compare(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the cosine of two unit vectors."""
    return float(np.clip(one.astype(np.float64) @ other, -1.0, 1.0))


def _warn_of_language(embedder: Embedder, sources: Mapping[str, SourceText]) -> list[str]:
    """Say that vectors mean little where an English embedder was given other languages."""
    known = {
        source: found.language.code
        for source, found in sources.items()
        if found.language is not None
    }
    foreign = [f"{source} ({code})" for source, code in known.items() if code != "en"]
    if embedder.used.model_name not in ENGLISH_ONLY or not foreign:
        return []
    told = f"{embedder.used.model_name} knows English only; its vectors mean little for "
    hint = "components.text_processor.embedder=paraphrase_multilingual_minilm_l12_v2"
    return [f"{told}{', '.join(foreign)}. For other languages set {hint}."]
