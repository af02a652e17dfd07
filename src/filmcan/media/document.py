"""The text that comes with a video: its records, and the strict parser of DOC.json.

Parsing is strict: a wrong document is a `BadDocumentError` that lists every fault with its place,
never half read. An unknown key is refused, with the nearest known key named: a misspelt
`"discription"` would otherwise be a missing description in ten thousand artifacts.

Three rules that are easy to get wrong:

- A key that is absent or null means: this source is not there. `""` or `[]` means: it is there
  and says nothing, and then its zero counts are measurements (C6.2).
- Half of a surrogate pair, as cut emoji leave it in exports, becomes U+FFFD; a note says how many.
- A time without an offset is taken as UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from filmcan.contract.canonical import JsonError, parse_json
from filmcan.contract.issues import Issue, shown
from filmcan.contract.reading import ObjectReader
from filmcan.errors import BadDocumentError
from filmcan.files import tell_name

if TYPE_CHECKING:
    from pathlib import Path

MAX_DOCUMENT_BYTES = 128 * 1024 * 1024
"""A larger document is refused before it is read: a million long comments fit."""

MAX_SECONDS = 1e9
"""No transcript reaches further: more is a wrong unit."""

MAX_LIKES = 10**12
"""No comment has more."""

DOCUMENT_KEYS = (
    "title",
    "description",
    "tags",
    "comments",
    "transcript",
    "language",
    "channel_id",
    "published_at",
)
COMMENT_KEYS = ("text", "likes", "published_at")
SEGMENT_KEYS = ("start_sec", "end_sec", "text")

_SHOWN_PROBLEMS = 5
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,6}")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Comment:
    """One viewer comment."""

    text: str
    likes: int | None = None
    published_at: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of transcript; times in seconds, None when the transcript is plain text."""

    text: str
    start_sec: float | None = None
    end_sec: float | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is said, and where it was found.

    Attributes:
        segments: In time order, or one segment without times for a plain text.
        origin: Which kind of source it came from.
        language: As the side-car's name or the stream declares it, or as it was heard; None when
            nothing says.
        encoding: How the bytes were decoded, None where that was never in question.
    """

    segments: tuple[Segment, ...]
    origin: Literal["document", "sidecar", "subtitle_stream", "asr"]
    language: str | None = None
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class TextSources:
    """All text of one video. None: the source is absent; empty: it is there and says nothing.

    Attributes:
        notes: What a reader of the run should know about the reading: replaced characters,
            side-cars passed over, damaged cues. Never a word of the text itself.
    """

    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    comments: tuple[Comment, ...] | None = None
    transcript: Transcript | None = None
    language: str | None = None
    channel_id: str | None = None
    published_at: str | None = None
    notes: tuple[str, ...] = ()


def read_document(path: Path) -> TextSources:
    """Return the text sources of a DOC.json file.

    Raises:
        BadDocumentError: The file cannot be read, is too large, is not strict JSON in UTF-8, or
            breaks the format; the message lists the faults.
    """
    try:
        if not path.is_file():
            raise BadDocumentError(
                "the document is not there, or is no regular file", where=tell_name(path.name)
            )
        size_bytes = path.stat().st_size
        if size_bytes > MAX_DOCUMENT_BYTES:
            raise BadDocumentError(
                f"the document has {size_bytes} bytes, the limit is {MAX_DOCUMENT_BYTES}",
                where=tell_name(path.name),
                hint="Leave out comments or transcript, or split the document.",
            )
        data = path.read_bytes()
    except OSError as error:
        raise BadDocumentError(
            f"the document cannot be read: {error.strerror}", where=tell_name(path.name)
        ) from error
    return parse_document_bytes(data, where=tell_name(path.name))


def parse_document_bytes(data: bytes, *, where: str = "document") -> TextSources:
    """Return the text sources of a document's bytes: UTF-8, with or without a byte order mark.

    Raises:
        BadDocumentError: As `read_document`.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadDocumentError(
            f"the document is not UTF-8 at byte {error.start}",
            where=where,
            hint="Save it as UTF-8.",
        ) from error
    replaced = 0
    if _SURROGATE_ESCAPE.search(text):
        text, replaced = _replace_lone_escapes(text)
    try:
        value = parse_json(text)
    except JsonError as error:
        raise BadDocumentError(f"the document is not strict JSON: {error}", where=where) from error
    sources = parse_document(value, where=where)
    return _with_replacements(sources, replaced)


def parse_document(value: object, *, where: str = "document") -> TextSources:
    """Return the text sources of a parsed document.

    Raises:
        BadDocumentError: The value breaks the format; all faults are found, the first few shown.
    """
    problems: list[Issue] = []
    reader = ObjectReader(value, "", problems)
    _check_keys(reader, DOCUMENT_KEYS)
    cleaner = _Cleaner()
    sources = TextSources(
        title=_read_text(reader, "title", cleaner),
        description=_read_text(reader, "description", cleaner),
        tags=_read_tags(reader, cleaner),
        comments=_read_comments(reader, cleaner),
        transcript=_read_transcript(reader, cleaner),
        language=_read_language(reader),
        channel_id=_read_text(reader, "channel_id", cleaner),
        published_at=_read_time(reader),
    )
    if problems:
        raise _build_refusal(problems, where)
    return _with_replacements(sources, cleaner.replaced)


def parse_time(text: str) -> datetime | None:
    """Return an ISO 8601 date or time as an aware datetime, None where it is neither.

    A date alone is its midnight; a time without an offset is UTC.
    """
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class _Cleaner:
    """Replaces lone surrogates and counts them."""

    def __init__(self) -> None:
        self.replaced = 0

    def clean(self, text: str) -> str:
        if text.isascii() or not _LONE_SURROGATE.search(text):
            return text
        text, count = _LONE_SURROGATE.subn(_REPLACEMENT, text)
        self.replaced += count
        return text


def _replace_lone_escapes(text: str) -> tuple[str, int]:
    count = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal count
        if match["lone"] is None:
            return match[0]
        count += 1
        return "\\ufffd"

    return _ESCAPE.sub(replaced, text), count


def _with_replacements(sources: TextSources, replaced: int) -> TextSources:
    if not replaced:
        return sources
    note = f"{replaced} lone surrogates in the document were replaced by U+FFFD."
    return replace(sources, notes=(*sources.notes, note))


def _check_keys(reader: ObjectReader, known: Iterable[str]) -> None:
    names = tuple(known)
    unknown = sorted(str(name) for name in reader.value if name not in names)
    for name in unknown:
        # Only the problems that are shown are worth the search for a neighbour.
        shown_yet = len(reader.problems) < _SHOWN_PROBLEMS
        near = get_close_matches(name[:40].casefold(), names, n=1) if shown_yet else []
        advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
        reader.report(f"unknown key, {advice}", shown(name).strip("'\""), "unknown_key")


def _read_text(reader: ObjectReader, name: str, cleaner: _Cleaner) -> str | None:
    text = reader.optional_text(name)
    return None if text is None else cleaner.clean(text)


def _read_tags(reader: ObjectReader, cleaner: _Cleaner) -> tuple[str, ...] | None:
    value = reader.value.get("tags")
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        reader.report(f"expected a list of strings, got {shown(value)}", "tags")
        return ()
    found = []
    for index, item in enumerate(value):
        if isinstance(item, str):
            found.append(cleaner.clean(item))
        else:
            reader.report(f"expected a string, got {shown(item)}", f"tags[{index}]")
    return tuple(found)


def _read_comments(reader: ObjectReader, cleaner: _Cleaner) -> tuple[Comment, ...] | None:
    if reader.value.get("comments") is None:
        return None
    found = []
    for item in _read_items(reader, "comments"):
        _check_keys(item, COMMENT_KEYS)
        found.append(
            Comment(
                text=cleaner.clean(item.text("text")),
                likes=_read_likes(item),
                published_at=_read_time(item),
            )
        )
    return tuple(found)


def _read_likes(reader: ObjectReader) -> int | None:
    likes = reader.optional_whole("likes")
    if likes is not None and likes > MAX_LIKES:
        reader.report(f"expected at most {MAX_LIKES}", "likes", "out_of_range")
        return None
    return likes


def _read_transcript(reader: ObjectReader, cleaner: _Cleaner) -> Transcript | None:
    value = reader.value.get("transcript")
    if value is None:
        return None
    if isinstance(value, str):
        return Transcript((Segment(cleaner.clean(value)),), "document")
    if not isinstance(value, list | tuple):
        reader.report(f"expected a text or a list of segments, got {shown(value)}", "transcript")
        return None
    found: list[tuple[float, float, Segment]] = []
    for item in _read_items(reader, "transcript"):
        _check_keys(item, SEGMENT_KEYS)
        start_sec = _read_seconds(item, "start_sec")
        end_sec = _read_seconds(item, "end_sec")
        if end_sec < start_sec:
            item.report(f"ends at {end_sec}, before its start {start_sec}", "end_sec", "bad_value")
        text = cleaner.clean(item.text("text"))
        found.append((start_sec, end_sec, Segment(text, start_sec, end_sec)))
    found.sort(key=lambda entry: entry[:2])
    return Transcript(tuple(segment for _, _, segment in found), "document")


def _read_items(reader: ObjectReader, name: str) -> list[ObjectReader]:
    value = reader.value.get(name)
    if not isinstance(value, list | tuple):
        reader.report(f"expected a list, got {shown(value)}", name)
        return []
    return [
        ObjectReader(item, f"{name}[{index}]", reader.problems) for index, item in enumerate(value)
    ]


def _read_seconds(reader: ObjectReader, name: str) -> float:
    value = reader.value.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        reader.report(f"expected seconds, got {shown(value)}", name)
        return 0.0
    if not 0 <= value <= MAX_SECONDS:  # NaN fails too
        message = f"expected seconds from 0 to {MAX_SECONDS:.0f}, got {shown(value)}"
        reader.report(message, name, "out_of_range")
        return 0.0
    return float(value)


def _read_language(reader: ObjectReader) -> str | None:
    text = reader.optional_text("language")
    if text is not None and not _LANGUAGE.fullmatch(text):
        reader.report(
            f"expected a language tag such as ru or en-US, got {shown(text)}",
            "language",
            "bad_value",
        )
    return text


def _read_time(reader: ObjectReader) -> str | None:
    text = reader.optional_text("published_at")
    if text is not None and parse_time(text) is None:
        reader.report(
            f"expected an ISO 8601 date or time, got {shown(text)}", "published_at", "bad_value"
        )
    return text


def _build_refusal(problems: list[Issue], where: str) -> BadDocumentError:
    lines = [
        f"{issue.key}: {issue.message}" if issue.key else issue.message
        for issue in problems[:_SHOWN_PROBLEMS]
    ]
    rest = len(problems) - len(lines)
    more = f"; and {rest} more" if rest else ""
    return BadDocumentError(
        f"{'; '.join(lines)}{more}",
        where=where,
        hint='The format is {"title", "description", "tags": [], "comments": [{"text", "likes"?, '
        '"published_at"?}], "transcript": text or [{"start_sec", "end_sec", "text"}], '
        '"language"?, "channel_id"?, "published_at"?}.',
    )
