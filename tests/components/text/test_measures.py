from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmcan.components.text.text_processor.comments import (
    LANGUAGE_SAMPLE,
    measure_comments,
)
from filmcan.components.text.text_processor.language import Language
from filmcan.components.text.text_processor.measures import (
    FULL_NAMES,
    measure_mattr,
    measure_text,
)
from filmcan.components.text.text_processor.overlap import find_stems, measure_overlap
from filmcan.components.text.text_processor.tags import measure_tags
from filmcan.components.text.text_processor.tokens import build_tokens, clean_text, fold_word
from filmcan.components.text.text_processor.transcript import measure_transcript
from filmcan.media.document import Comment, Segment

RUSSIAN = Language("ru", 0.9)


def measure(text: str, language: Language | None = None) -> dict[str, float]:
    return measure_text(build_tokens(clean_text(text)), language)


def test_a_text_is_measured_as_counted_by_hand() -> None:
    text = "ВАУ, какой Борщ! Борщ за 30 минут?? 😀😀👍🏽\nРецепт: https://a.example #борщ @chef"
    found = measure(text, RUSSIAN)
    expected = {
        "char_count": 77.0,
        "word_count": 8.0,  # ВАУ какой Борщ Борщ за минут Рецепт борщ
        "sentence_count": 3.0,
        "line_count": 2.0,
        "mean_word_letters": (3 + 5 + 4 + 4 + 2 + 5 + 6 + 4) / 8,
        "type_token_ratio": 6 / 8,
        "hapax_ratio": 5 / 6,
        "exclamation_count": 1.0,
        "question_count": 2.0,
        "uppercase_ratio": 6 / 33,
        "all_caps_word_ratio": 1 / 8,
        "emoji_count": 3.0,
        "emoji_unique_count": 2.0,
        "emoji_ratio": 3 / 77,
        "url_count": 1.0,
        "hashtag_count": 1.0,
        "mention_count": 1.0,
        "number_count": 1.0,
        "timestamp_count": 0.0,
        "email_count": 0.0,
        "cyrillic_ratio": 1.0,
        "latin_ratio": 0.0,
        "mean_sentence_words": 8 / 3,
        "language_confidence": 0.9,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert math.isnan(found["reading_ease"])
    assert math.isnan(found["mattr"])


def test_c6_a_blank_text_has_zero_counts_and_no_ratios() -> None:
    found = measure("  \n ")
    for name in FULL_NAMES:
        if name.endswith("_count"):
            assert found[name] == 0.0, name
        else:
            assert math.isnan(found[name]), name


def test_punctuation_is_a_share_of_what_is_no_blank() -> None:
    assert measure("a, b. c!")["punctuation_ratio"] == 3 / 6
    assert measure("«Да» — нет…")["punctuation_ratio"] == 4 / 9


def test_full_width_marks_and_letters_count_like_plain_ones() -> None:
    found = measure("ＷＯＷ！？")
    assert (found["exclamation_count"], found["question_count"]) == (1.0, 1.0)
    assert (found["latin_ratio"], found["uppercase_ratio"]) == (1.0, 1.0)


def test_a_direction_mark_changes_no_number() -> None:
    plain, marked = measure("שלום, עולם 1!"), measure("\u202bשלום\u200f, עולם\u2069 1!\u202c")
    assert marked == pytest.approx(plain, nan_ok=True)


def test_russian_prose_gets_a_reading_score_and_other_prose_none() -> None:
    prose = "Мама мыла раму, а папа читал газету. Потом они пошли гулять в парк. " * 5
    assert measure(prose, RUSSIAN)["reading_ease"] == pytest.approx(
        206.835 - 1.3 * 6.5 - 60.1 * 23 / 13
    )
    assert math.isnan(measure(prose, Language("uk", 0.9))["reading_ease"])
    assert math.isnan(measure(prose, None)["reading_ease"])


def test_captions_without_punctuation_get_no_reading_score() -> None:
    captions = build_tokens("so today we are going to cook a soup\n" * 40)
    found = measure_text(captions, Language("en", 0.99), newline_ends=False)
    assert found["sentence_count"] == 1.0
    assert math.isnan(found["reading_ease"])


@given(st.lists(st.sampled_from(["a", "A", "b", "ё", "е", "c", "d"]), max_size=40))
def test_the_moving_ratio_is_the_mean_over_all_windows(words: list[str]) -> None:
    window = 7
    shares = [
        len({fold_word(word) for word in words[start : start + window]}) / window
        for start in range(len(words) - window + 1)
    ]
    expected = sum(shares) / len(shares) if shares else math.nan
    assert measure_mattr(tuple(words), window) == pytest.approx(expected, nan_ok=True)


def test_the_moving_ratio_does_not_fall_with_length_as_the_plain_one_does() -> None:
    words = [f"w{number * number % 97}" for number in range(1000)]
    short, long = measure(" ".join(words[:200])), measure(" ".join(words * 5))
    assert long["mattr"] == pytest.approx(short["mattr"], rel=0.05)
    assert long["type_token_ratio"] < 0.2 * short["type_token_ratio"]


def test_comments_are_summed_up_as_counted_by_hand() -> None:
    comments = [
        Comment("Спасибо за видео, очень полезно!", 10, "2024-05-01T00:00:00Z"),
        Comment("спасибо  за видео, очень полезно!", 0, "2024-05-03T12:00:00+00:00"),
        Comment("Why is the sound so bad at 1:23?", None, "not a time"),
        Comment("😀", 2),
        Comment(""),
    ]
    found, languages = measure_comments(comments, 0.6)
    assert found == pytest.approx(
        {
            "count": 5.0,
            "unique_ratio": 4 / 5,
            "mean_chars": (32 + 33 + 32 + 1 + 0) / 5,
            "median_chars": 32.0,
            "p95_chars": 32.8,
            "mean_words": (5 + 5 + 7) / 5,
            "question_share": 1 / 5,
            "exclamation_share": 2 / 5,
            "emoji_share": 1 / 5,
            "url_share": 0.0,
            "timestamp_share": 1 / 5,
            "mention_share": 0.0,
            "likes_known_ratio": 3 / 5,
            "likes_sum": 12.0,
            "likes_mean": 4.0,
            "likes_median": 2.0,
            "likes_max": 10.0,
            "language_known_share": 3 / 5,
            "dominant_language_share": 2 / 3,
            "language_count": 2.0,
            "published_known_ratio": 2 / 5,
            "span_days": 2.5,
        }
    )
    assert languages == {"ru": 2, "en": 1}


def test_c6_no_comments_is_a_count_of_zero_and_nothing_else() -> None:
    found, _ = measure_comments([], 0.6)
    assert found.pop("count") == 0.0
    assert all(math.isnan(value) for value in found.values())


def test_languages_of_many_comments_are_sampled_evenly() -> None:
    half = LANGUAGE_SAMPLE
    comments = [Comment("Спасибо за видео, очень полезно!")] * half + [
        Comment("Thank you so much for this useful video!")
    ] * half
    found, languages = measure_comments(comments, 0.6)
    assert languages == {"ru": LANGUAGE_SAMPLE // 2, "en": LANGUAGE_SAMPLE // 2}
    assert found["language_known_share"] == 1.0


def test_a_timed_transcript_has_pace_pauses_and_coverage() -> None:
    segments = (
        Segment("one two three four", 2.0, 4.0),
        Segment("five six", 3.0, 6.0),  # overlaps
        Segment("♪", 6.5, 7.0),  # no word, no speech
        Segment("seven eight nine ten", 8.0, 12.0),
        Segment("late", 30.0, 40.0),  # ends after the video
    )
    found = measure_transcript(segments, 11, 35.0)
    assert found == pytest.approx(
        {
            "segment_count": 5.0,
            "is_timed": 1.0,
            "segment_mean_sec": (2 + 3 + 4 + 10) / 4,
            "speech_sec": 4.0 + 4.0 + 10.0,
            "coverage_ratio": (4 + 4 + 5) / 35,
            "words_per_minute": 11 / 18 * 60,
            "words_per_video_minute": 11 / 35 * 60,
            "first_segment_sec": 2.0,
            "words_first_10_sec": 4 + 2 + 2,
            "pause_count": 2.0,
            "pause_mean_sec": (2 + 18) / 2,
            "pause_max_sec": 18.0,
        }
    )


@pytest.mark.parametrize("duration_sec", [None, 0.0])
def test_c6_without_a_duration_there_is_no_coverage(duration_sec: float | None) -> None:
    found = measure_transcript((Segment("a b", 0.0, 1.0),), 2, duration_sec)
    assert math.isnan(found["coverage_ratio"])
    assert math.isnan(found["words_per_video_minute"])
    assert found["words_per_minute"] == 120.0


def test_c6_a_transcript_without_times_has_no_pace() -> None:
    found = measure_transcript((Segment("a b c"),), 3, 60.0)
    known = {name: value for name, value in found.items() if not math.isnan(value)}
    assert known == {"segment_count": 1.0, "is_timed": 0.0, "words_per_video_minute": 3.0}


def test_a_cue_without_length_counts_whole_where_it_stands() -> None:
    found = measure_transcript((Segment("a b", 3.0, 3.0), Segment("c", 12.0, 12.0)), 3, 60.0)
    assert found["words_first_10_sec"] == 2.0
    assert found["speech_sec"] == 0.0
    assert math.isnan(found["words_per_minute"])


def test_tags_are_measured_one_by_one() -> None:
    assert measure_tags(("Борщ", "#борщ", "home cooking")) == pytest.approx(
        {
            "count": 3.0,
            "unique_ratio": 2 / 3,
            "mean_chars": (4 + 5 + 12) / 3,
            "max_chars": 12.0,
            "mean_words": 4 / 3,
            "char_count": 21.0,
        }
    )
    found = measure_tags(())
    assert (found["count"], found["char_count"]) == (0.0, 0.0)
    assert math.isnan(found["mean_chars"])


def test_words_with_other_endings_meet_in_their_stems() -> None:
    assert find_stems(["Борща", "и", "Рецепты", "ёлками"]) == {"борща", "рецеп", "елкам"}
    assert find_stems(["рецептом"]) <= find_stems(["Рецепты"])
    assert find_stems(["猫", "a"]) == {"猫"}


def test_overlap_tells_whether_the_promise_of_the_title_is_kept() -> None:
    tokens = {
        "title": build_tokens("Рецепт вкусного пирога"),
        "description": build_tokens("Лучшие рецепты"),
        "transcript": build_tokens("Сегодня печём вкусный пирог"),
    }
    languages = {"title": RUSSIAN, "description": None, "transcript": Language("ru", 0.8)}
    tags = [find_stems(["рецепт"]), find_stems(["пирог"]), frozenset[str]()]
    found = measure_overlap(tokens, tags, languages)
    assert found["title_description_overlap"] == pytest.approx(1 / 3)
    assert found["title_transcript_overlap"] == pytest.approx(2 / 3)
    assert found["tags_title_share"] == 1.0
    assert found["tags_transcript_share"] == 0.5
    assert found["title_transcript_same_language"] == 1.0
    assert math.isnan(found["title_comments_overlap"])
    assert math.isnan(found["title_comments_same_language"])
    assert (found["text_source_count"], found["text_word_count"]) == (3.0, 9.0)
    assert found["text_language_count"] == 1.0
