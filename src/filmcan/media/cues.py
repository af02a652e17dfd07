"""Subtitle text to transcript segments: SubRip, WebVTT, and the payloads of text streams.

Pure functions over bytes and strings; files and containers are `subtitles.py`'s job. Real
subtitle files are rarely clean, so reading is lenient where `document.py` is strict: a cue that
makes no sense is skipped and counted, markup is stripped, and captions that scroll are not
counted twice. All expressions here run in linear time.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from filmcan.media.document import MAX_SECONDS, Segment

MAX_CUES = 500_000
"""Cues beyond this are dropped, with a note: a day of speech has about 30 000."""

ROLLING_SHARE = 0.3
"""Captions scroll when this share of adjoining cues repeats lines of the one before."""

ROLLING_MIN_CUES = 3
ADJOINING_SEC = 0.1
"""Cues that follow each other within this time adjoin."""

_MIN_HIGH_NEIGHBOURS = 0.5
_UTF16_ZERO_SHARE = 0.2
_SNIFFED_BYTES = 65_536

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s|$)", re.ASCII)
_NEWLINE = re.compile(r"\r\n?|[\u2028\u2029\u0085]")
_TAG = re.compile(
    r"</?(?:b|i|u|s|c|v|em|strong|font|span|ruby|rt|lang)(?:[\s.:/][^<>]{0,400})?>"
    r"|<\d[\d:.]{0,20}>",
    re.IGNORECASE | re.ASCII,
)
_BREAK = re.compile(r"<br\s?/?>", re.IGNORECASE)
_OVERRIDE = re.compile(r"\{(?:\\|[yYcCfFsSpPoO]:)[^{}]{0,2000}\}")
_DRAWING = re.compile(
    r"\{[^{}]{0,200}\\p[1-9][^{}]{0,200}\}[^{]*(?:\{[^{}]{0,200}\\p0[^{}]{0,200}\})?"
)
_VTT_BLOCK = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")
_HIGH_LETTERS = re.compile(rb"[\xa8\xb8\xc0-\xff]+")


@dataclass(frozen=True, slots=True)
class Cues:
    """What was read of one subtitle source.

    Attributes:
        segments: In time order, markup stripped, blank ones dropped.
        skipped: Cues that made no sense: unreadable times, an end before the start.
        repeated: Cues dropped or shortened because they only repeated what was there before.
    """

    segments: tuple[Segment, ...]
    skipped: int = 0
    repeated: int = 0


def find_encoding(data: bytes) -> str:
    """Return the name of the encoding of subtitle bytes.

    In order: a byte order mark (UTF-8, UTF-16, UTF-32); zero bytes at every other place (UTF-16
    without a mark); valid UTF-8; else a one-byte code page. There, letters beyond ASCII that mostly
    stand beside each other are Cyrillic (`cp1251`), and lonely ones accents (`cp1252`).
    """
    for mark, name in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe\x00\x00", "utf-32"),
        (b"\x00\x00\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return name
    head = data[:_SNIFFED_BYTES]
    if len(head) > 1:
        even, odd = head[0::2].count(0), head[1::2].count(0)
        if max(even, odd) > _UTF16_ZERO_SHARE * (len(head) // 2) and even != odd:
            return "utf-16-be" if even > odd else "utf-16-le"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        runs = [len(run) for run in _HIGH_LETTERS.findall(head)]
        beside = sum(size for size in runs if size > 1)
        return "cp1251" if beside > _MIN_HIGH_NEIGHBOURS * sum(runs) else "cp1252"
    return "utf-8"


def decode_text(data: bytes, encoding: str) -> str:
    """Return the text; bytes that the encoding does not know become U+FFFD."""
    return data.decode(encoding, errors="replace")


def parse_srt(text: str) -> Cues:
    """Return the cues of a SubRip text.

    A cue's text runs to the next line of times, so blank lines inside it do no harm; the counter
    before those times is not part of it.
    """
    found: list[Segment] = []
    skipped = 0
    timing: tuple[float, float] | None = None
    lines: list[str] = []

    def close(*, before_timing: bool) -> None:
        if timing is not None and len(found) < MAX_CUES:
            kept = _drop_counter(lines) if before_timing else lines
            found.append(Segment(clean_markup("\n".join(kept)), *timing))
        lines.clear()

    for line in _split_lines(text):
        if "-->" not in line or not line.lstrip()[:1].isdecimal():
            lines.append(line)
            continue
        close(before_timing=True)
        timing = _parse_timing(line)
        skipped += timing is None
    close(before_timing=False)
    return arrange_cues(found, skipped)


def parse_vtt(text: str) -> Cues:
    """Return the cues of a WebVTT text; comments, styles and regions are passed over.

    Source: W3C WebVTT, section 4 (syntax) and 6 (parsing).
    """
    found: list[Segment] = []
    skipped = 0
    for block in _split_blocks(text):
        place = next((index for index, line in enumerate(block[:2]) if "-->" in line), None)
        if place is None or _VTT_BLOCK.match(block[0]):
            continue
        timing = _parse_timing(block[place])
        if timing is None:
            skipped += 1
        elif len(found) < MAX_CUES:
            found.append(Segment(clean_markup("\n".join(block[place + 1 :])), *timing))
    return arrange_cues(found, skipped)


def read_payload(data: bytes, codec: str, encoding: str) -> str:
    """Return the plain text of one packet of a text subtitle stream.

    Args:
        data: The packet's bytes.
        codec: FFmpeg's name: `srt`, `subrip`, `text`, `webvtt`, `mov_text`, `ass` or `ssa`.
        encoding: As found over all packets of the stream; `mov_text` says its own.
    """
    if codec == "mov_text":
        return clean_markup(_read_timed_text(data))
    text = decode_text(data, encoding)
    if codec in ("ass", "ssa"):
        # ReadOrder, Layer, Style, Name, MarginL, MarginR, MarginV, Effect, Text
        text = text.split(",", 8)[-1]
        text = _DRAWING.sub("", text)
        text = text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    return clean_markup(text)


def clean_markup(text: str) -> str:
    """Return a cue's text without tags, style overrides, entities and outer blanks."""
    if "<" in text:
        text = _TAG.sub("", _BREAK.sub("\n", text))
    if "{" in text:
        text = _OVERRIDE.sub("", text)
    if "&" in text:
        text = html.unescape(text)
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def arrange_cues(segments: Iterable[Segment], skipped: int = 0) -> Cues:
    """Put cues in time order and drop what is blank, senseless or said twice.

    Said twice are cues equal in times and text, and, where captions scroll, the lines that a cue
    carries over from the one before. A line that merely returns (a refrain, "No. - No.") stays.
    """
    kept = []
    seen: set[tuple[object, ...]] = set()
    repeated = 0
    for segment in segments:
        start_sec, end_sec = segment.start_sec, segment.end_sec
        if start_sec is None or end_sec is None or not 0 <= start_sec <= end_sec <= MAX_SECONDS:
            skipped += 1
            continue
        if not segment.text:
            continue
        identity = (start_sec, end_sec, segment.text)
        if identity in seen:
            repeated += 1
            continue
        seen.add(identity)
        kept.append(segment)
    kept.sort(key=lambda item: (item.start_sec or 0.0, item.end_sec or 0.0))
    carried = _find_carried_lines(kept)
    if carried:
        repeated += sum(count > 0 for count in carried)
        shortened = (
            Segment("\n".join(item.text.split("\n")[count:]), item.start_sec, item.end_sec)
            for item, count in zip(kept, carried, strict=True)
        )
        kept = [item for item in shortened if item.text]
    return Cues(tuple(kept), skipped, repeated)


def _find_carried_lines(segments: Sequence[Segment]) -> list[int]:
    """Return for each cue how many of its first lines the cue before ended with.

    Empty unless the captions scroll, as automatic ones do.
    """
    carried = [0] * len(segments)
    adjoining = 0
    shown: list[str] = []
    shown_until_sec = -1.0
    for index, segment in enumerate(segments):
        lines = segment.text.split("\n")
        start_sec, end_sec = segment.start_sec or 0.0, segment.end_sec or 0.0
        if shown and start_sec - shown_until_sec <= ADJOINING_SEC:
            adjoining += 1
            carried[index] = next(
                (
                    size
                    for size in range(min(len(shown), len(lines), 4), 0, -1)
                    if shown[-size:] == lines[:size]
                ),
                0,
            )
        shown, shown_until_sec = lines, max(shown_until_sec, end_sec)
    repeats = sum(count > 0 for count in carried)
    if repeats < ROLLING_MIN_CUES or repeats < ROLLING_SHARE * adjoining:
        return []
    return carried


def _split_lines(text: str) -> list[str]:
    return _NEWLINE.sub("\n", text.lstrip("\ufeff")).split("\n")


def _split_blocks(text: str) -> list[list[str]]:
    blocks: list[list[str]] = [[]]
    for line in _split_lines(text):
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _drop_counter(lines: Sequence[str]) -> Sequence[str]:
    """Return a cue's lines without the counter of the next cue and the blanks around it."""
    last = len(lines)
    while last and not lines[last - 1].strip():
        last -= 1
    if last and lines[last - 1].strip().isdecimal() and (last == 1 or not lines[last - 2].strip()):
        last -= 1
    return lines[:last]


def _parse_timing(line: str) -> tuple[float, float] | None:
    match = _TIMING.match(line)
    if match is None:
        return None
    parts = match.groups()
    start_sec, end_sec = _to_seconds(parts[:4]), _to_seconds(parts[4:])
    return (start_sec, end_sec) if start_sec <= end_sec else None


def _to_seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    millis = int(fraction.ljust(3, "0"))
    return (int(hours) * 3_600_000 + int(minutes) * 60_000 + int(seconds) * 1000 + millis) / 1000


def _read_timed_text(data: bytes) -> str:
    """Return the text of a 3GPP timed-text sample: a length in two bytes, then the text.

    Source: 3GPP TS 26.245, text sample format: UTF-8, or UTF-16 when a byte order mark opens it.
    """
    size = int.from_bytes(data[:2], "big")
    text = data[2 : 2 + size]
    return decode_text(text, find_encoding(text))
