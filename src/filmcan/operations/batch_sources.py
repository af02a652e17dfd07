"""Which videos a batch is about: files, folders, globs, URLs, and lists with ids and documents."""

from __future__ import annotations

import csv
import glob
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from filmcan.contract.canonical import JsonError, parse_json
from filmcan.errors import BadMediaError, BadProfileError, MissingExtraError, NotFoundError
from filmcan.pipeline.remote_source import RemoteFolder, RemoteSource, parse_place
from filmcan.pipeline.source_copy import list_objects

_SUFFIXES = """
3gp aac aiff amr ape asf avi avif bmp caf dv flac flv gif gxf heic ivf jpeg jpg m2ts m4a m4v mka
mkv mov mp3 mp4 mpeg mpg mts mxf nut oga ogg ogv opus png tif tiff ts vob w64 wav webm webp wma
wmv wtv wv y4m
"""
MEDIA_SUFFIXES = frozenset(f".{name}" for name in _SUFFIXES.split())
"""What is taken of a folder. A file that is named, or listed, is taken whatever it is called."""

LIST_SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet")
COLUMNS = ("source", "platform_id", "video_id", "document")

_SOURCE_ALIAS = "path"


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One video of a batch.

    Attributes:
        source: The file, or the object behind a URL.
        platform_id: Where it is from; None: the batch's own, or `local`.
        video_id: Which video; None: from the digest of its bytes.
        document: Its text: a JSON file, or the document itself.
    """

    source: Path | RemoteSource
    platform_id: str | None = None
    video_id: str | None = None
    document: Path | Mapping[str, object] | None = None


def find_items(sources: Iterable[str]) -> list[BatchItem]:
    """Return the videos that some names mean, in order, each file once for each id.

    Args:
        sources: Files; folders, searched to the bottom for media by their suffix; glob patterns
            (`**` for any depth); URLs of objects, and those that end in `/` of folders in buckets;
            lists: `.csv`, `.jsonl` or `.parquet` with the columns of `COLUMNS`, of which `source`
            alone must be there. Paths in a list start from its folder.

    Raises:
        NotFoundError: A name means nothing.
        BadMediaError: A URL cannot be taken, or the folder it names cannot be listed.
        BadProfileError: A list is malformed; the message names the row.
        MissingExtraError: A Parquet list without pyarrow; a folder in a bucket without obstore.
    """
    found: dict[tuple[object, ...], BatchItem] = {}
    for name in sources:
        for item in _expand(name):
            found.setdefault((item.source, item.platform_id, item.video_id), item)
    return list(found.values())


def _expand(name: str) -> Iterator[BatchItem]:
    path = parse_place(name)
    if isinstance(path, RemoteFolder):
        yield from _walk_bucket(path)
    elif isinstance(path, RemoteSource):
        yield BatchItem(path)
    elif path.is_dir():
        yield from _walk(path)
    elif path.suffix.casefold() in LIST_SUFFIXES and path.is_file():
        yield from _read_list(path)
    elif path.exists() or not glob.has_magic(name):
        yield BatchItem(path)  # one that is not there is a failure of its own, told with the others
    else:
        matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - absolute patterns too
        files = [Path(match) for match in matches if Path(match).is_file()]
        if not files:
            raise NotFoundError(
                "no file matches", where=name, hint="Quote the pattern; ** goes through folders."
            )
        for file in files:
            yield BatchItem(file)


def _walk(folder: Path) -> Iterator[BatchItem]:
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.casefold() in MEDIA_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    if not files:
        raise NotFoundError(
            "the folder holds no media file",
            where=str(folder),
            hint="Media are known by suffix; name other files, or list them.",
        )
    for path in files:
        yield BatchItem(path)


def _walk_bucket(folder: RemoteFolder) -> Iterator[BatchItem]:
    is_empty = True
    for source in list_objects(folder):
        below = source.key.removeprefix(folder.prefix)
        is_media = PurePosixPath(source.key).suffix.casefold() in MEDIA_SUFFIXES
        if is_media and not any(part.startswith(".") for part in below.split("/")):
            is_empty = False
            yield BatchItem(source)
    if is_empty:
        raise NotFoundError(
            "the folder holds no media file",
            where=folder.url,
            hint="Media are known by suffix; name other objects, or list them.",
        )


def _read_list(path: Path) -> Iterator[BatchItem]:
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    read = readers.get(path.suffix.casefold(), _read_json_lines)
    for number, row in enumerate(read(path), 1):
        yield from _parse_row(row, path, f"{path.name} row {number}")


def _read_csv(path: Path) -> Iterator[Mapping[str, object]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file, strict=True)
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadProfileError(f"not readable as CSV: {error}", where=path.name) from error


def _read_json_lines(path: Path) -> Iterator[Mapping[str, object]]:
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except JsonError as error:
            message = f"not valid JSON: {error}"
            raise BadProfileError(message, where=f"{path.name} line {number}") from error
        if not isinstance(row, Mapping):
            raise BadProfileError("expected an object", where=f"{path.name} line {number}")
        yield row


def _read_parquet(path: Path) -> Iterator[Mapping[str, object]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError(
            "a Parquet list needs pyarrow",
            where=path.name,
            hint='Run: pip install "filmcan[export]"',
        ) from error
    try:
        with pq.ParquetFile(path) as file:
            columns = [
                name for name in (*COLUMNS, _SOURCE_ALIAS) if name in file.schema_arrow.names
            ]
            for batch in file.iter_batches(columns=columns):
                yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise BadProfileError(f"not readable as Parquet: {error}", where=path.name) from error


def _parse_row(row: Mapping[str, object], path: Path, where: str) -> Iterator[BatchItem]:
    source = row.get("source") or row.get(_SOURCE_ALIAS)
    if not isinstance(source, str) or not source:
        raise BadProfileError(
            f"expected a path in the column source, got {source!r}",
            where=where,
            hint=f"Columns: {', '.join(COLUMNS)}.",
        )
    item = BatchItem(
        source=path.parent / source,
        platform_id=_get_text(row, "platform_id", where),
        video_id=_get_text(row, "video_id", where),
        document=_parse_document(row.get("document"), path, where),
    )
    try:
        place = parse_place(source)
    except BadMediaError as error:
        raise BadProfileError(error.message, where=where, hint=error.hint) from error
    if isinstance(place, RemoteSource):
        yield replace(item, source=place)
    elif not isinstance(place, RemoteFolder):
        yield item
    elif item.video_id is not None or item.document is not None:
        raise BadProfileError(
            "a folder of a bucket has no video_id and no document",
            where=where,
            hint="Name its objects one by one.",
        )
    else:
        for found in _walk_bucket(place):
            yield replace(found, platform_id=item.platform_id)


def _get_text(row: Mapping[str, object], name: str, where: str) -> str | None:
    value = row.get(name)
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise BadProfileError(f"expected a text in {name}, got {value!r}", where=where)
    return value


def _parse_document(value: object, path: Path, where: str) -> Path | Mapping[str, object] | None:
    """Return a document: a path, or the document itself, as object or as JSON text."""
    if value in (None, ""):
        return None
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, str):
        raise BadProfileError(f"expected a path or an object, got {value!r}", where=where)
    if not value.lstrip().startswith("{"):
        return path.parent / value
    try:
        parsed = json.loads(value)
    except ValueError as error:
        raise BadProfileError(f"document: not valid JSON: {error}", where=where) from error
    return dict(parsed)
