"""All text of one video, by one precedence: document, side-car, subtitle stream.

`read_text_sources` is what a run calls, once, before anything is decoded. Only a wrong document
ends the run, because the user named it; whatever else cannot be read is passed over with a note.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from filmcan.contract.signature import hash_canonical
from filmcan.files import tell_name
from filmcan.media.document import TextSources, Transcript, parse_document, read_document
from filmcan.media.probe import SubtitleStream
from filmcan.media.subtitles import (
    TEXT_CODECS,
    find_sidecars,
    rank_language,
    read_sidecar,
    read_subtitle_stream,
)


def read_text_sources(
    source: Path,
    document: Path | Mapping[str, object] | None,
    subtitle_streams: Sequence[SubtitleStream],
) -> TextSources:
    """Return all text of one video.

    The transcript is taken from the document, else from the first readable side-car, else from
    the first text subtitle stream that holds a cue. Among several side-cars or streams the one
    in the document's `language` comes first, then one of no stated language, then the order of
    the alphabet (side-cars) or of the file (streams).

    Args:
        source: The video file; side-cars are looked for beside it.
        document: A DOC.json, or the same as a mapping, or None.
        subtitle_streams: As the probe found them.

    Raises:
        BadDocumentError: The document is wrong.
    """
    sources = _read_document(document)
    if sources.transcript is not None:
        return sources
    notes: list[str] = []
    transcript = _read_first_sidecar(source, sources.language, notes)
    if transcript is None:
        transcript = _read_first_stream(source, subtitle_streams, sources.language, notes)
    return replace(sources, transcript=transcript, notes=(*sources.notes, *notes))


def digest_text_inputs(
    source: Path | None, document: Path | Mapping[str, object] | None
) -> dict[str, object]:
    """Return the digests of what `read_text_sources` would read beside the source itself.

    The source is not opened: what subtitle streams say is known by the digest of its bytes.

    Args:
        source: The video file; None for one that has nothing beside it.
        document: A DOC.json, or the same as a mapping, or None.

    Returns:
        `document_sha256`, None without a document, and `sidecars`, what follows the source's stem
        in a side-car's name -> digest of its bytes; none where the document has the transcript.

    Raises:
        BadDocumentError: The document is wrong.
    """
    given = _read_document(document)
    digests: dict[str, str] = {}
    if source is not None and given.transcript is None:
        for sidecar in find_sidecars(source, given.language):
            digests[tell_name(sidecar.path.name.removeprefix(source.stem))] = _hash_sidecar(
                sidecar.path
            )
    return {
        "document_sha256": None if given == TextSources() else hash_canonical(asdict(given)),
        "sidecars": digests,
    }


def _hash_sidecar(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def _read_document(document: Path | Mapping[str, object] | None) -> TextSources:
    if document is None:
        return TextSources()
    if isinstance(document, Mapping):
        return parse_document(document)
    return read_document(document)


def _read_first_sidecar(source: Path, language: str | None, notes: list[str]) -> Transcript | None:
    sidecars = find_sidecars(source, language)
    for place, sidecar in enumerate(sidecars):
        transcript, found = read_sidecar(sidecar)
        notes += found
        if transcript is not None:
            rest = [tell_name(other.path.name) for other in sidecars[place + 1 :]]
            if rest:
                notes.append(
                    f"{tell_name(sidecar.path.name)} was read; not read: {', '.join(rest)}."
                )
            return transcript
    return None


def _read_first_stream(
    source: Path, streams: Sequence[SubtitleStream], language: str | None, notes: list[str]
) -> Transcript | None:
    ranked = sorted(
        (stream for stream in streams if stream.codec in TEXT_CODECS),
        key=lambda stream: (rank_language(stream.language, language), stream.index),
    )
    for place, stream in enumerate(ranked):
        transcript, found = read_subtitle_stream(source, stream)
        notes += found
        if transcript is not None:
            rest = [str(other.index) for other in ranked[place + 1 :]]
            if rest:
                notes.append(
                    f"subtitle stream {stream.index} was read; not read: {', '.join(rest)}."
                )
            return transcript
    return None
