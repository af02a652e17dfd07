"""Take a text apart: characters as people see them, words, sentences, and the marks of the web.

Every other module of this component counts what is found here, so each rule stands in one place.
All expressions are linear: each position of a text starts at most one bounded attempt.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import regex

MAX_CUT_BACK_CHARS = 256
"""A text that is too long is cut at the last blank within this many characters of the limit."""

_NEWLINES = regex.compile(r"\r\n?|[\u0085\u2028\u2029\v\f]")
# Invisible characters that only steer layout. Zero-width joiners, variation selectors and tags
# stay: they make emoji and some scripts what they are.
_INVISIBLE = regex.compile(r"[\u00AD\u061C\u200B\u200E\u200F\u202A-\u202E\u2060-\u2069\uFEFF]")
_CONTROLS = regex.compile(r"[\x00-\x08\x0E-\x1F\x7F-\x9F]")
# No script stacks this many marks on one letter; without a bound, sorting them is quadratic.
# Source: Unicode Standard Annex 15, section 13, Stream-Safe Text Format (30 non-starters).
_STACK_CHECK_CHARS = 1000
_STACKED = regex.compile(r"(\p{M}{30})\p{M}++")
_SURROGATES = regex.compile("[\ud800-\udfff]")

# A stretch in which clusters of several code points can occur, with its neighbours; everywhere
# else one code point is one cluster.
_CLUSTERED = regex.compile(r"(?s).?(?:[^\p{GCB=Other}\n]+.?)+")
# Latin, Greek, Cyrillic, Armenian without their combining marks: one code point each.
_SIMPLE = re.compile(r"[\t\n -\u02ff\u0370-\u0482\u048a-\u0590\u2010-\u2027]*")
_FLAG = regex.compile(r"\p{RI}\p{RI}")
_CLUSTER = regex.compile(r"\X")

_MARKS = regex.compile(
    r"""(?xi)
    (?P<url>(?:https?://|(?<!\w)www\.)[^\s<>"'«»“”]++
      |(?<![\w.@-])(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,24}/[^\s<>"'«»“”]*+
      |(?<![\w.@-])(?:[a-z0-9-]{1,63}\.){1,4}(?:com|net|org|ru|рф)(?![\w@-]|\.\w))
    |(?P<email>(?<![\w.+-])[\w.+-]{1,64}+@(?:[\w-]{1,63}\.){1,4}[a-zа-я]{2,24}(?!\w))
    |(?P<hashtag>(?<![&/#])\#(?=[\p{M}\p{N}_]{0,64}\p{L}))
    |(?P<mention>(?<![\w@./])@(?=[\w])[\w.-]{1,64}+)
    |(?P<timestamp>(?<![\d:])\d{1,3}:[0-5]\d(?::[0-5]\d)?(?![\d:]))
    """
)
MARK_KINDS = ("url", "email", "hashtag", "mention", "timestamp")

# Most texts hold no mark, and most words of the others: two cheap looks before the dear one.
_HINT = re.compile(r"[@#/:]|\.\w")
_MARKED = regex.compile(r"(?<!\S)\S*?(?:[@#/:]|\.\w)\S*+")

# Ideographs and hiragana are words of one character each; other letters, marks and digits run on,
# over an apostrophe or hyphen inside a word. Most texts need only the plain form, which is the
# same thing where there are neither ideographs nor combining marks, and six times as fast.
_SPECIAL_WORDS = regex.compile(r"[\p{Han}\p{Hiragana}\p{M}]")
_PLAIN_WORD = re.compile(r"\w+(?:['’ʼ‘\-‐‑](?!_)\w+)*")
_WORD = regex.compile(
    r"""(?xV1)
    [\p{Han}\p{Hiragana}]\p{M}*+
    |[[\p{L}\p{M}\p{N}_]--[\p{Han}\p{Hiragana}]]++
     (?:['’ʼ‘\-‐‑](?=[[\p{L}\p{N}]--[\p{Han}\p{Hiragana}]])
        [[\p{L}\p{M}\p{N}_]--[\p{Han}\p{Hiragana}]]++)*+
    """
)
_LETTER = regex.compile(r"\p{L}")
_NUMBER = regex.compile(r"(?<![\w.,])[+\-−]?\p{Nd}++(?:[.,:]\p{Nd}++)*+(?!\w)")
_ACCENTS = regex.compile(r"[\u0300\u0301]")

_SENTENCE_END = regex.compile(r"[.!?…。！？؟।]++[\"'»”’)\]]*+(?=\s|$)|[。！？]++|\n++")
_LAST_WORD = regex.compile(r"[\p{L}\p{M}.]{1,12}$")
_INITIALS = regex.compile(r"(?:\p{L}\.)+\p{L}")
_CONTENT = regex.compile(r"[\p{L}\p{N}]")
_ABBREVIATIONS = frozenset({
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "inc", "ltd", "jr", "sr", "approx",
    "dept", "est", "fig", "vol", "pt", "feat",
    "г", "гг", "ул", "др", "т", "руб", "тыс", "млн", "млрд", "см", "им", "напр", "стр", "коп",
    "кв", "проф", "акад", "св", "обл", "пр",
})  # fmt: skip

# Source: Unicode Technical Standard 51, ED-14 to ED-17: presentation sequences, keycaps, flags,
# modifier, tag and joiner sequences.
_EMOJI = regex.compile(
    r"""(?xV1)
    \p{RI}\p{RI}
    |[0-9\#*]\uFE0F?\u20E3
    |(?:\p{Emoji_Modifier_Base}\p{Emoji_Modifier}
       |[\p{Emoji}--[0-9\#*]]\uFE0F
       |[\p{Emoji_Presentation}--\p{RI}](?!\uFE0E))
     (?:[\U000E0020-\U000E007E]{1,32}\U000E007F)?
     (?:\u200D(?:\p{Emoji_Modifier_Base}\p{Emoji_Modifier}
                |\p{Emoji}\uFE0F
                |[\p{Extended_Pictographic}\p{Emoji_Presentation}]))*+
    """
)
# Every emoji has a character of these blocks, the variation selector or the keycap.
_EMOJI_HINT = re.compile(
    r"[\u20e3\u2190-\u27ff\u2900-\u2bff\u3030-\u3299\ufe0f\U0001f000-\U0001faff]"
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text, taken apart.

    Attributes:
        text: The cleaned text.
        running: The text without links, addresses, mentions and times of day; the words of
            hashtags stay, their signs do not.
        words: All words in order, as written. A word holds at least one letter.
        forms: How often each word occurs, as written.
        marks: How often each of `MARK_KINDS` occurs.
    """

    text: str
    running: str
    words: tuple[str, ...]
    forms: Counter[str]
    marks: dict[str, int]


def clean_text(text: str) -> str:
    """Return a text in one normal form, without what cannot be seen.

    Line ends become newlines, control characters blanks, layout characters (soft hyphens, marks
    of direction, byte order marks) nothing, lone surrogates U+FFFD; then NFC (so that a Cyrillic
    letter and its breve are one character), and no blanks at either end.
    """
    if not text.isprintable():
        text = _CONTROLS.sub(" ", _NEWLINES.sub("\n", text))
        text = _SURROGATES.sub("\ufffd", _INVISIBLE.sub("", text))
    if not text.isascii():
        if len(text) > _STACK_CHECK_CHARS:
            text = _STACKED.sub(r"\1", text)
        text = unicodedata.normalize("NFC", text)
    return text.strip()


def cut_text(text: str, max_chars: int) -> str:
    """Return at most `max_chars` code points, cut at a blank where one is near."""
    if len(text) <= max_chars:
        return text
    start = max(0, max_chars - MAX_CUT_BACK_CHARS)
    blanks = [match.start() for match in regex.finditer(r"\s", text, pos=start, endpos=max_chars)]
    return text[: blanks[-1] if blanks else max_chars]


def build_tokens(text: str) -> Tokens:
    """Take a cleaned text apart."""
    marks = dict.fromkeys(MARK_KINDS, 0)

    def cut(match: regex.Match[str]) -> str:
        kind = match.lastgroup or ""
        marks[kind] += 1
        return " "

    running = text
    if _HINT.search(text):
        running = _MARKED.sub(lambda stretch: _MARKS.sub(cut, stretch[0]), text)
    words = find_words(running)
    return Tokens(text, running, words, Counter(words), marks)


def find_words(running: str) -> tuple[str, ...]:
    """Return the words of a text without marks."""
    pattern = _PLAIN_WORD if running.isascii() or not _SPECIAL_WORDS.search(running) else _WORD
    return tuple(word for word in pattern.findall(running) if _has_letter(word))


def fold_word(word: str) -> str:
    """Return the form under which words count as the same.

    Case folded, full-width and other compatibility forms made plain, stress marks dropped, and
    the Russian letter that is optional in print folded into its twin (U+0451 -> U+0435).
    """
    folded = unicodedata.normalize("NFKC", word.casefold())
    return _ACCENTS.sub("", folded).replace("ё", "е").replace("’", "'")


def count_graphemes(text: str) -> int:
    """Count characters as people see them.

    Source: Unicode Standard Annex 29, extended grapheme clusters.
    """
    if _SIMPLE.fullmatch(text):
        return len(text)
    # A flag is one character, and so is the letter put in its place: \X takes quadratic time
    # over long rows of them.
    text = _FLAG.sub("a", text)
    count = len(text)
    for match in _CLUSTERED.finditer(text):
        stretch = match[0]
        count += sum(1 for _ in _CLUSTER.finditer(stretch)) - len(stretch)
    return count


def find_emoji(text: str) -> list[str]:
    """Return all emoji of a text: a flag, a family, a keycap or a skin tone is one.

    A character that is shown as text by default, such as a plain heart, needs its variation
    selector to be one.
    """
    return _EMOJI.findall(text) if _EMOJI_HINT.search(text) else []


def count_numbers(running: str) -> int:
    """Count numbers that stand for themselves: `3.14` and `1,000` are one each, `4K` is a word."""
    return sum(1 for _ in _NUMBER.finditer(running))


def count_sentences(running: str, *, newline_ends: bool) -> int:
    """Count sentences that hold a word or a number.

    A sentence ends at closing punctuation before a blank, and at a line's end where
    `newline_ends`. A full stop after a known abbreviation or an initial ends nothing.
    """
    count = 0
    start = 0
    for stop, end in find_sentence_ends(running, newline_ends=newline_ends):
        if _CONTENT.search(running, start, stop):
            count += 1
        start = end
    return count + (_CONTENT.search(running, start) is not None)


def find_sentence_ends(running: str, *, newline_ends: bool) -> Iterator[tuple[int, int]]:
    """Yield where sentences end by the rules of `count_sentences`.

    Yields:
        (start, end) of the marks that end a sentence, in order; the last sentence may have none.
    """
    for match in _SENTENCE_END.finditer(running):
        if match[0][0] == "\n":
            if not newline_ends:
                continue
        elif match[0] == "." and _is_abbreviation(running, match.start()):
            continue
        yield match.span()


def _is_abbreviation(running: str, place: int) -> bool:
    found = _LAST_WORD.search(running, max(0, place - 13), place)
    if found is None:
        return False
    word = found[0]
    if word.casefold() in _ABBREVIATIONS or _INITIALS.fullmatch(word):
        return True
    return len(word) == 1 and word.isupper()


def _has_letter(word: str) -> bool:
    return word[0].isalpha() or _LETTER.search(word) is not None
