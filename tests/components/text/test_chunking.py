"""How long texts are cut before they are embedded: at sentence ends, within limits, with times."""

from __future__ import annotations

import math
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmcan.components.text.text_processor.chunking import Chunk, cut_text, cut_transcript
from filmcan.components.text.text_processor.tokenizer import TextTokenizer
from filmcan.media.document import Segment


class Words:
    """A tokenizer for which every word is a token."""

    def __init__(self, room: int) -> None:
        self.room = room

    def count(self, text: str) -> int:
        return len(text.split())

    def split(self, text: str, room: int) -> list[tuple[int, int]]:
        stretches, start, words = [], 0, 0
        for place, char in enumerate(text):
            words += not char.isspace() and (place == 0 or text[place - 1].isspace())
            if words > room:
                stretches.append((start, place))
                start, words = place, 1
        return [*stretches, (start, len(text))]


def words(room: int) -> TextTokenizer:
    return cast("TextTokenizer", Words(room))


def cut(segments: list[Segment], room: int, max_sec: float = 30.0) -> list[Chunk]:
    chunks, is_cut = cut_transcript(segments, words(room), max_sec, 1000)
    assert not is_cut
    return chunks


def test_sentences_stay_together_while_they_fit() -> None:
    chunks, is_cut = cut_text("One two. Three four five. Six.\nSeven eight", words(5), 10)
    assert [chunk.text for chunk in chunks] == ["One two. Three four five.", "Six. Seven eight"]
    assert not is_cut
    assert all(math.isnan(chunk.start_sec) for chunk in chunks)


def test_a_sentence_that_is_too_long_is_cut_between_words() -> None:
    chunks, _ = cut_text("a b c d e f g. h", words(3), 10)
    assert [chunk.text for chunk in chunks] == ["a b c", "d e f", "g. h"]


def test_what_is_beyond_the_limit_of_chunks_is_left_out_and_told() -> None:
    chunks, is_cut = cut_text("a. b. c. d.", words(1), 2)
    assert ([chunk.text for chunk in chunks], is_cut) == (["a.", "b."], True)
    assert cut_text("a. b.", words(1), 2)[1] is False


def test_a_sentence_over_several_cues_is_one_chunk_with_the_times_of_its_words() -> None:
    segments = [Segment("It was a", 0, 2), Segment("rabbit. It ran", 2, 4), Segment("off.", 4, 5)]
    first, second = cut(segments, room=4)
    assert (first.text, second.text) == ("It was a rabbit.", "It ran off.")
    assert (first.start_sec, second.end_sec) == (0, 5)
    # "rabbit." is 7 of the 14 characters of its cue.
    assert first.end_sec == second.start_sec == pytest.approx(3.0)


def test_captions_without_marks_are_cut_at_cues() -> None:
    segments = [Segment(f"word{n} more", n, n + 1) for n in range(7)]
    chunks = cut(segments, room=6)
    assert [chunk.text.split()[0] for chunk in chunks] == ["word0", "word3", "word6"]
    assert [(chunk.start_sec, chunk.end_sec) for chunk in chunks] == [(0, 3), (3, 6), (6, 7)]


def test_a_chunk_lasts_no_longer_than_asked() -> None:
    segments = [Segment(f"Sentence {n}.", n * 10.0, n * 10.0 + 9) for n in range(6)]
    chunks = cut(segments, room=100, max_sec=30)
    assert [(chunk.start_sec, chunk.end_sec) for chunk in chunks] == [(0, 29), (30, 59)]
    [alone] = cut([Segment("slow", 0, 90)], room=100)
    assert (alone.start_sec, alone.end_sec) == (0, 90)


def test_without_times_in_one_cue_no_chunk_has_any() -> None:
    chunks = cut([Segment("a.", 0, 1), Segment("b.")], room=1)
    assert [chunk.text for chunk in chunks] == ["a.", "b."]
    assert all(math.isnan(chunk.start_sec) and math.isnan(chunk.end_sec) for chunk in chunks)


def test_blank_cues_and_no_text_give_no_chunk() -> None:
    assert cut([Segment(" ", 0, 1), Segment("\u200b", 1, 2)], room=5) == []
    assert cut_text("", words(5), 5) == ([], False)


def test_an_abbreviation_ends_no_sentence() -> None:
    chunks, _ = cut_text("See Dr. Smith now. He waits here.", words(4), 10)
    assert [chunk.text for chunk in chunks] == ["See Dr. Smith now.", "He waits here."]


@given(
    st.lists(st.text(st.sampled_from("ab. \n!"), max_size=20), max_size=8),
    st.integers(1, 6),
    st.floats(0.5, 50.0),
)
def test_no_word_is_lost_none_is_doubled_and_all_fits(
    texts: list[str], room: int, max_sec: float
) -> None:
    segments = [Segment(text, float(n), n + 1.0) for n, text in enumerate(texts)]
    chunks = cut(segments, room, max_sec)
    joined = "".join("".join(texts).split())
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == joined
    for chunk in chunks:
        assert 0 < len(chunk.text.split()) <= room
        assert 0 <= chunk.start_sec <= chunk.end_sec <= len(texts)
