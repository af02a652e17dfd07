from __future__ import annotations

import time
import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from filmcan.components.text.text_processor.tokens import (
    build_tokens,
    clean_text,
    count_graphemes,
    count_numbers,
    count_sentences,
    cut_text,
    find_emoji,
    fold_word,
)

FAMILY = "👨\u200d👩\u200d👧\u200d👦"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
CLUSTERS = (
    "a", "я", "ё", "е\u0308", "й", "漢", "한", "\u1100\u1161\u11a8", "नि", "த\u0bbf", "กำ", FAMILY,
    "🇷🇺", "🇬🇧", "👍🏽", "👩🏽\u200d🚀", "❤\ufe0f", "1\ufe0f\u20e3", SCOTLAND, "🏳\ufe0f\u200d🌈",
    "Ａ", "ש", "\u0600a", "e\u0301\u0323",
)  # fmt: skip
MIXED = st.text(
    alphabet=st.sampled_from("abяёё1_ .,!?#@:/-'\n\t\u0301\u200d🇷😀🏽漢ひカ한\u1100\u0600\ufe0f²ß"),
    max_size=30,
)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_what_people_see_as_one_character_counts_as_one(cluster: str) -> None:
    assert count_graphemes(cluster) == 1
    assert count_graphemes(f"x {cluster} {cluster}!") == 6


def test_flags_pair_up_from_the_left() -> None:
    assert count_graphemes("🇷🇺🇬🇧🇩") == 3


@given(MIXED)
def test_graphemes_agree_with_the_segmentation_of_unicode(text: str) -> None:
    assert count_graphemes(text) == len(regex.findall(r"\X", text))


@pytest.mark.parametrize(
    ("emoji", "count"),
    [
        ("😀", 1), ("😀😀", 2), (FAMILY, 1), ("🇷🇺🇬🇧", 2), ("👍🏽", 1), ("👩🏽\u200d🚀", 1),
        (SCOTLAND, 1), ("❤\ufe0f", 1), ("1\ufe0f\u20e3", 1), ("🏳\ufe0f\u200d🌈", 1), ("☝🏽", 1),
        ("❤\ufe0f\u200d🔥", 1), ("🤷🏻\u200d♀\ufe0f", 1), ("1", 0), ("#", 0), ("©", 0), ("❤", 0),
        ("😀\ufe0e", 0), ("я", 0), ("🇷", 0), ("♀", 0), (":-)", 0),
    ],
)  # fmt: skip
def test_emoji_are_those_of_uts_51(emoji: str, count: int) -> None:
    assert len(find_emoji(emoji)) == count


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Привет, мир!", ["Привет", "мир"]),
        ("ёлка и ЕЩЁ", ["ёлка", "и", "ЕЩЁ"]),
        ("е\u0308лка", ["ёлка"]),
        ("don't stop-and-go", ["don't", "stop-and-go"]),
        ("rock ’n’ roll’s", ["rock", "n", "roll’s"]),
        ("из-за того", ["из-за", "того"]),
        ("co\u00adop\u00aderate", ["cooperate"]),
        ("4K 60fps 2024 3.14", ["4K", "60fps"]),
        ("ＦＵＬＬ ｗｉｄｔｈ", ["ＦＵＬＬ", "ｗｉｄｔｈ"]),
        ("我爱 Python", ["我", "爱", "Python"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("\u202eשלום\u202c עולם", ["שלום", "עולם"]),
        ("word\0word", ["word", "word"]),
        ("snake_case __", ["snake_case"]),
        ("-- ... 😀", []),
        ("", []),
    ],
)
def test_words_of_many_scripts(text: str, words: list[str]) -> None:
    assert list(build_tokens(clean_text(text)).words) == words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ЁЛКА", "елка"), ("ＨＥＬＬＯ", "hello"), ("Straße", "STRASSE"), ("за\u0301мок", "замок"),
        ("ИЙ", "ий"), ("don’t", "DON'T"), ("ﬁsh", "fish"), ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ],
)  # fmt: skip
def test_words_that_are_the_same_to_a_reader_fold_alike(one: str, other: str) -> None:
    assert fold_word(clean_text(one)) == fold_word(clean_text(other))


def test_words_that_differ_stay_apart_when_folded() -> None:
    assert fold_word("мой") != fold_word("мои")
    assert fold_word("café") != fold_word("cafe")


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("https://a.example/x?y=1#z", {"url": 1}),
        ("см. (https://a.example/x), t.me/abc и www.site.ru!", {"url": 3}),
        ("mysite.ru и пример.рф", {"url": 1}),
        ("End of it.Next sentence. e.g. this", {}),
        ("#котики #2024год #123 C# &#39;", {"hashtag": 2}),
        ("#раз#два", {"hashtag": 2}),
        ("@name @имя. a@b.example foo@", {"mention": 2, "email": 1}),
        ("0:00 вступление 1:23:45 конец, 16:99 1:2:3", {"timestamp": 2}),
        ("", {}),
    ],
)
def test_marks_of_the_web_are_counted(text: str, marks: dict[str, int]) -> None:
    found = {kind: count for kind, count in build_tokens(text).marks.items() if count}
    assert found == marks


def test_marks_are_no_words_but_hashtags_are() -> None:
    tokens = build_tokens("Смотри https://a.example/very-long @friend #борщ на 1:23")
    assert tokens.words == ("Смотри", "борщ", "на")


@pytest.mark.parametrize(
    ("text", "count"),
    [("1,000 and 3.14", 2), ("10-12", 2), ("4K", 0), ("v2", 0), ("٣ ٤", 2), ("-5", 1), ("16:9", 1)],
)
def test_numbers_that_stand_alone_are_counted(text: str, count: int) -> None:
    assert count_numbers(text) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three?", 3),
        ("Что?! Да... Нет", 3),
        ("Mr. Smith met Dr. No at 3.14 p.m. sharp.", 1),
        ("Это г. Москва, ул. Ленина. Тут т.е. здесь живёт А. С. Пушкин.", 2),
        ("The U.S. Army won.", 1),
        ("Версия 2.0 вышла", 1),
        ("«Да.» — «Нет.»", 2),
        ("我爱你。你呢？", 2),
        ("...", 0),
        ("", 0),
    ],
)
def test_sentences_end_where_a_reader_would_stop(text: str, count: int) -> None:
    assert count_sentences(text, newline_ends=True) == count


def test_a_line_end_ends_a_sentence_only_where_asked() -> None:
    text = "first part\nof a sentence. Second"
    assert count_sentences(text, newline_ends=True) == 3
    assert count_sentences(text, newline_ends=False) == 2


def test_cleaning_keeps_what_people_see() -> None:
    assert clean_text(" \ufeffa\r\nb\rc\u2028d\x00e\x1b[0m\u200b ") == "a\nb\nc\nd e [0m"
    assert clean_text(f"{FAMILY} ❤\ufe0f") == f"{FAMILY} ❤\ufe0f"
    assert clean_text("cut \ud83d half") == "cut \ufffd half"


@given(MIXED)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once
    assert unicodedata.is_normalized("NFC", once)


def test_a_long_text_is_cut_at_a_blank_where_one_is_near() -> None:
    assert cut_text("слово " * 100, 50) == ("слово " * 100)[:47]
    assert cut_text("a" * 1000, 300) == "a" * 300
    assert cut_text("short", 10) == "short"


HOSTILE = {
    "letters": "a", "dotted": "a.", "hashes": "#", "ats": "@a", "addresses": "a@", "quotes": "a'",
    "hyphens": "a-", "numbers": "1.", "times": "1:23", "marks": "!", "joiners": "\u200d",
    "stacked accents": "\u0301\u0316", "flags": "🇷", "family": "👨\u200d", "jamo": "\u1100",
    "prepend": "\u0600", "lines": "\n", "sentences": ". ", "initials": "A. ", "schemes": "http://",
    "hosts": "www.", "tags": "x#", "angles": "<", "tagged": "\U000e0067", "slashes": "a/",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_takes_more_than_linear_time(name: str) -> None:
    """A rule of quadratic cost needs minutes for this length, a linear one tenths of a second."""
    text = HOSTILE[name] * (60_000 // len(HOSTILE[name]))
    started = time.process_time()
    tokens = build_tokens(clean_text(text))
    count_graphemes(tokens.text)
    count_sentences(tokens.running, newline_ends=True)
    count_numbers(tokens.running)
    find_emoji(tokens.text)
    assert time.process_time() - started < 10
