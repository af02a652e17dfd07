"""Cut a long text into chunks that an embedder takes whole, at sentence ends where possible.

Called by `embeddings.py`. A chunk of a timed transcript knows when it is spoken, and lasts no
longer than the profile says, so that chunks can be laid beside what is seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from filmcan.components.text.text_processor.tokens import clean_text, find_sentence_ends
from filmcan.media.document import Segment

if TYPE_CHECKING:
    from filmcan.components.text.text_processor.tokenizer import TextTokenizer


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of text.

    Attributes:
        text: What is said.
        start_sec: When it begins; NaN without times.
        end_sec: When it ends; NaN without times.
    """

    text: str
    start_sec: float = math.nan
    end_sec: float = math.nan


@dataclass(frozen=True, slots=True)
class _Piece:
    """The smallest thing that is kept together, unless it is too long itself."""

    chunk: Chunk
    tokens: int
    ends_sentence: bool


def cut_text(text: str, tokenizer: TextTokenizer, max_chunks: int) -> tuple[list[Chunk], bool]:
    """Cut a text without times; each line is a sentence.

    Returns:
        The chunks, and whether the text has more of them than `max_chunks`.
    """
    pieces = _cut_pieces([Segment(text)], tokenizer, newline_ends=True)
    return _take(_pack(pieces, tokenizer.room, math.inf), max_chunks)


def cut_transcript(
    segments: Sequence[Segment], tokenizer: TextTokenizer, max_sec: float, max_chunks: int
) -> tuple[list[Chunk], bool]:
    """Cut a transcript, whose sentences may run over several segments.

    What a segment says is taken as spread evenly over its time; where one segment has no times,
    none is taken to have any.

    Args:
        segments: In time order.
        tokenizer: Says how much fits.
        max_sec: A chunk lasts no longer, unless a single segment does.
        max_chunks: The rest is left out.

    Returns:
        The chunks, and whether there are more of them.
    """
    is_timed = all(item.start_sec is not None and item.end_sec is not None for item in segments)
    if not is_timed:
        segments = [Segment(item.text) for item in segments]
    pieces = _cut_pieces(segments, tokenizer, newline_ends=False)
    return _take(_pack(pieces, tokenizer.room, max_sec), max_chunks)


def _take(chunks: Iterator[Chunk], max_chunks: int) -> tuple[list[Chunk], bool]:
    kept = list(islice(chunks, max_chunks))
    return kept, next(chunks, None) is not None


def _cut_pieces(
    segments: Iterable[Segment], tokenizer: TextTokenizer, *, newline_ends: bool
) -> Iterator[_Piece]:
    """Yield the pieces between all ends of sentences and of segments."""
    cleaned = [(segment, clean_text(segment.text)) for segment in segments]
    cleaned = [(segment, text) for segment, text in cleaned if text]
    joined = "\n".join(text for _, text in cleaned)
    ends = [end for _, end in find_sentence_ends(joined, newline_ends=newline_ends)]
    ends.append(len(joined))
    offset = place = 0
    for segment, text in cleaned:
        stop = offset + len(text)
        start = offset
        while start < stop:
            while ends[place] <= start:
                place += 1
            end = min(ends[place], stop)
            chunk = _cut_out(segment, text, start - offset, end - offset)
            if chunk.text:
                yield from _split(chunk, tokenizer, ends_sentence=ends[place] <= stop)
            start = end
        offset = stop + 1


def _split(chunk: Chunk, tokenizer: TextTokenizer, *, ends_sentence: bool) -> Iterator[_Piece]:
    """Yield a piece, in parts when it alone is too long."""
    count = tokenizer.count(chunk.text)
    if count <= tokenizer.room:
        yield _Piece(chunk, count, ends_sentence)
        return
    segment = Segment(chunk.text, chunk.start_sec, chunk.end_sec)
    stretches = tokenizer.split(chunk.text, tokenizer.room)
    for start, end in stretches:
        part = _cut_out(segment, chunk.text, start, end)
        if part.text:
            is_last = end == len(chunk.text)
            yield _Piece(part, tokenizer.count(part.text), ends_sentence and is_last)


def _cut_out(segment: Segment, text: str, start: int, end: int) -> Chunk:
    """Return a part of a segment's text with its share of the segment's time."""
    part = text[start:end].strip()
    if segment.start_sec is None or segment.end_sec is None:
        return Chunk(part)
    pace = (segment.end_sec - segment.start_sec) / len(text)
    return Chunk(part, segment.start_sec + start * pace, segment.start_sec + end * pace)


def _pack(pieces: Iterable[_Piece], room: int, max_sec: float) -> Iterator[Chunk]:
    """Put pieces together while they fit; then cut at the last end of a sentence, if any."""
    held: list[_Piece] = []
    for piece in pieces:
        while held and not _fits([*held, piece], room, max_sec):
            ends = [place for place, kept in enumerate(held, 1) if kept.ends_sentence]
            cut = ends[-1] if ends else len(held)
            yield _join(held[:cut])
            held = held[cut:]
        held.append(piece)
    if held:
        yield _join(held)


def _fits(pieces: Sequence[_Piece], room: int, max_sec: float) -> bool:
    if sum(piece.tokens for piece in pieces) > room:
        return False
    lasts_sec = pieces[-1].chunk.end_sec - pieces[0].chunk.start_sec
    return not lasts_sec > max_sec  # NaN without times


def _join(pieces: Sequence[_Piece]) -> Chunk:
    chunks = [piece.chunk for piece in pieces]
    return Chunk(
        " ".join(chunk.text for chunk in chunks),
        min(chunk.start_sec for chunk in chunks),
        max(chunk.end_sec for chunk in chunks),
    )
