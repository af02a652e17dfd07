"""Read subtitles: side-car files beside a source, and text streams inside it.

Which of them is used, and whether at all, is decided in `text_sources.py`. What was passed over or
damaged is said in notes, never in silence, and never ends a run. Files beside the source are
looked for by name and nowhere else; a container is only demultiplexed, no subtitle decoder runs.
"""

from __future__ import annotations

import math
import os
import re
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.error import FFmpegError

from filmcan.errors import BadMediaError
from filmcan.files import tell_name
from filmcan.media.cues import (
    MAX_CUES,
    Cues,
    arrange_cues,
    decode_text,
    find_encoding,
    parse_srt,
    parse_vtt,
    read_payload,
)
from filmcan.media.document import Segment, Transcript
from filmcan.media.limits import Limits
from filmcan.media.probe import SubtitleStream
from filmcan.media.source_file import find_source
from filmcan.media.stream_choice import find_video_stream

if TYPE_CHECKING:
    from av.container import InputContainer

MAX_SUBTITLE_BYTES = 64 * 1024 * 1024
"""A side-car or stream with more text than this is passed over, with a note."""

TEXT_CODECS = frozenset({"ass", "mov_text", "srt", "ssa", "subrip", "text", "webvtt"})
"""FFmpeg's names of the subtitle codecs whose packets hold text."""

_SUFFIXES = (".srt", ".vtt")
_SETTLED_NS = 3_000_000_000
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}")
_LIMITS = Limits(
    max_duration_sec=math.inf,
    max_pixels=2**31 - 1,
    max_streams=1024,
    max_metadata_chars=2**26,
    max_frames_per_mib=2**31,
)
"""The probe has held the source to the run's limits before anybody looks for subtitles."""
_THREE_LETTERS = {
    "ara": "ar", "bel": "be", "bul": "bg", "ces": "cs", "chi": "zh", "cze": "cs", "deu": "de",
    "dut": "nl", "eng": "en", "fra": "fr", "fre": "fr", "ger": "de", "heb": "he", "hin": "hi",
    "ind": "id", "ita": "it", "jpn": "ja", "kaz": "kk", "kor": "ko", "nld": "nl", "pol": "pl",
    "por": "pt", "rus": "ru", "spa": "es", "srp": "sr", "tur": "tr", "ukr": "uk", "vie": "vi",
    "zho": "zh",
}  # fmt: skip
"""ISO 639-2 codes of common languages -> ISO 639-1, to compare a stream's tag with a document's."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A subtitle file that lies beside a source: `clip.srt` or `clip.en.vtt` for `clip.mp4`."""

    path: Path
    language: str | None


def find_sidecars(source: Path, language: str | None = None) -> tuple[Sidecar, ...]:
    """Return the subtitle files beside a source, the one to prefer first.

    `clip.srt` belongs to `clip.mp4`, and so does `clip.en.srt`, unless there is a `clip.en.mp4`
    (or any other file of that stem that is no subtitle), whose own it is then.
    """
    try:
        names = [name for name in _list_names(source.parent) if name.startswith(source.stem)]
    except OSError:
        return ()
    taken = {Path(name).stem for name in names if Path(name).suffix.casefold() not in _SUFFIXES}
    found: list[tuple[tuple[int, str, int], Sidecar]] = []
    for name in names:
        path = source.parent / name
        suffix = path.suffix.casefold()
        if suffix not in _SUFFIXES or not path.is_file():
            continue
        stem, _, tag = path.stem.rpartition(".")
        if path.stem == source.stem:
            tag = ""
        elif stem != source.stem or not _LANGUAGE.fullmatch(tag) or path.stem in taken:
            continue
        rank = (rank_language(tag or None, language), tag, _SUFFIXES.index(suffix))
        found.append((rank, Sidecar(path, tag or None)))
    return tuple(sidecar for _, sidecar in sorted(found, key=lambda entry: entry[0]))


_LISTED: dict[Path, tuple[int, tuple[str, ...]]] = {}
"""The folder that was listed last: thousands of videos of a batch lie in one."""


def _list_names(folder: Path) -> tuple[str, ...]:
    """Return the names in a folder, sorted; listed anew whenever it may have changed.

    A change moves the folder's time, unless it comes in the same tick of the clock as the one
    before: a time that is only just past is not relied on.
    """
    changed_ns = folder.stat().st_mtime_ns
    known = _LISTED.get(folder)
    if known is not None and known[0] == changed_ns:
        return known[1]
    with os.scandir(folder) as entries:
        names = tuple(sorted(entry.name for entry in entries))
    _LISTED.clear()
    if time.time_ns() - changed_ns > _SETTLED_NS:
        _LISTED[folder] = (changed_ns, names)
    return names


def read_sidecar(sidecar: Sidecar) -> tuple[Transcript | None, tuple[str, ...]]:
    """Return a side-car's transcript and notes; no transcript when it holds no readable cue."""
    name = tell_name(sidecar.path.name)
    try:
        size_bytes = sidecar.path.stat().st_size
        if size_bytes > MAX_SUBTITLE_BYTES:
            note = f"{name} has {size_bytes} bytes, more than {MAX_SUBTITLE_BYTES}: not read."
            return None, (note,)
        data = sidecar.path.read_bytes()
    except OSError as error:
        return None, (f"{name} could not be read: {error.strerror}.",)
    encoding = find_encoding(data)
    text = decode_text(data, encoding)
    # A WebVTT text is told by its first line, whatever its file is called.
    is_vtt = text.lstrip("\ufeff").startswith("WEBVTT")
    cues = parse_vtt(text) if is_vtt else parse_srt(text)
    notes = _build_notes(name, cues, encoding)
    if not cues.segments:
        return None, (*notes, f"{name} holds no readable cue: not used.")
    return Transcript(cues.segments, "sidecar", sidecar.language, encoding), notes


def read_subtitle_stream(
    source: Path, stream: SubtitleStream
) -> tuple[Transcript | None, tuple[str, ...]]:
    """Return the transcript of a text subtitle stream, and notes.

    Times are relative to the start of the best video stream, as all times of a run are (or to the
    container's start when there is no video). A container that breaks off part-way gives the
    cues before the break.
    """
    name = f"subtitle stream {stream.index}"
    if stream.codec not in TEXT_CODECS:
        return None, (f"{name} ({stream.codec}) holds no text: not read.",)
    payloads, fault = _read_payloads(source, stream.index)
    if fault == _TOO_LARGE:
        return None, (f"{name} holds more than {MAX_SUBTITLE_BYTES} bytes: not read.",)
    encoding = find_encoding(b"\n".join(item.data for item in payloads))
    if encoding.startswith("utf-16") or stream.codec == "mov_text":
        encoding = "utf-8"  # mov_text says its own; zero bytes elsewhere are damage
    cues = arrange_cues(
        Segment(read_payload(item.data, stream.codec, encoding), item.start_sec, item.end_sec)
        for item in payloads
    )
    notes = _build_notes(name, cues, encoding)
    if fault:
        notes = (*notes, f"{name} could not be read to its end: {fault}.")
    if not cues.segments:
        return None, (*notes, f"{name} holds no readable cue: not used.")
    return Transcript(cues.segments, "subtitle_stream", stream.language, encoding), notes


_TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class _Payload:
    data: bytes
    start_sec: float
    end_sec: float


def _read_payloads(source: Path, index: int) -> tuple[list[_Payload], str]:
    """Return a stream's packets, and what went wrong, "" when nothing did."""
    found: list[_Payload] = []
    size_bytes = 0
    try:
        with find_source(source).open_container(_LIMITS) as container:
            stream = container.streams[index]
            zero = _find_zero(container)
            for packet in container.demux(stream):
                if packet.pts is None or not packet.size:
                    continue
                size_bytes += packet.size
                if size_bytes > MAX_SUBTITLE_BYTES:
                    return [], _TOO_LARGE
                if len(found) == MAX_CUES:
                    return found, f"it has more than {MAX_CUES} cues"
                start = max(packet.pts * packet.time_base - zero, Fraction(0))
                length = packet.duration * packet.time_base if packet.duration else Fraction(0)
                found.append(_Payload(bytes(packet), float(start), float(start + length)))
    except BadMediaError as error:
        return found, error.message
    except (FFmpegError, IndexError) as error:
        return found, type(error).__name__
    return found, ""


def _find_zero(container: InputContainer) -> Fraction:
    """Return the time, in the container's seconds, from which a run counts."""
    video = find_video_stream(container)
    if video is not None and video.start_time is not None and video.time_base is not None:
        return video.start_time * video.time_base
    return max(Fraction(container.start_time, av.time_base), Fraction(0))


def rank_language(tag: str | None, wanted: str | None) -> int:
    """Return how well a language tag fits a wanted one: 0 fits, 1 says nothing, 2 is another."""
    if wanted is not None and tag is not None and _shorten(tag) == _shorten(wanted):
        return 0
    return 1 if tag is None or tag == "und" else 2


def _shorten(tag: str) -> str:
    primary = tag.split("-", maxsplit=1)[0].casefold()
    return _THREE_LETTERS.get(primary, primary)


def _build_notes(name: str, cues: Cues, encoding: str) -> tuple[str, ...]:
    notes = []
    if encoding not in ("utf-8", "utf-8-sig"):
        notes.append(f"{name} was read as {encoding}.")
    if cues.skipped:
        notes.append(f"{name}: {cues.skipped} cues made no sense and were left out.")
    if cues.repeated:
        notes.append(f"{name}: {cues.repeated} cues repeated earlier ones and were cut.")
    return tuple(notes)
