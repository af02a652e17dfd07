"""How an answer is made: strict JSON, an ETag and its 304, bytes by range."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from filmcan.errors import FilmcanError

if TYPE_CHECKING:
    from filmcan.operations.run_files import ByteSource

_CHUNK_BYTES = 1 << 18
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_REVALIDATE = "private, no-cache"


class RangeError(FilmcanError):
    """A range that the bytes do not have."""

    default_code = "range_not_satisfiable"

    def __init__(self, size: int) -> None:
        """Keep the size, which the answer must tell."""
        super().__init__(
            "the range lies outside the file", hint=f"The file has {size} bytes, counted from 0."
        )
        self.size = size


def dump_json(value: object) -> bytes:
    """Return strict JSON as UTF-8; text that is none becomes question marks."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def build_etag(*parts: str) -> str:
    """Return a tag that changes with any of its parts."""
    return f'"{hashlib.sha256("|".join(parts).encode("utf-8", "replace")).hexdigest()[:32]}"'


def answer_json(value: object, status: int = 200) -> Response:
    """Return JSON that nobody may keep."""
    return Response(dump_json(value), status, media_type="application/json")


def answer_tagged(
    request: Request,
    etag: str,
    build: Callable[[], bytes],
    media_type: str = "application/json",
    filename: str | None = None,
) -> Response:
    """Return bytes with their tag, or 304 without building them when the caller has them."""
    headers = {"ETag": etag, "Cache-Control": _REVALIDATE}
    if has_tag(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    if filename is not None:
        headers["Content-Disposition"] = _attach(filename)
    return Response(build(), headers=headers, media_type=media_type)


def answer_bytes(
    request: Request,
    source: ByteSource,
    etag: str,
    media_type: str = "application/octet-stream",
    filename: str | None = None,
) -> Response:
    """Return a file, or the one range of it that was asked for. Several ranges give the whole.

    Raises:
        RangeError: The range lies outside the file.
    """
    headers = {"ETag": etag, "Cache-Control": _REVALIDATE, "Accept-Ranges": "bytes"}
    if has_tag(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    if filename is not None:
        headers["Content-Disposition"] = _attach(filename)
    asked = request.headers.get("range")
    if request.headers.get("if-range") not in (None, etag):
        asked = None
    found = _parse_range(asked, source.size)
    start, stop = found if found is not None else (0, source.size)
    headers["Content-Length"] = str(stop - start)
    if found is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{source.size}"
    return StreamingResponse(
        _read(source, start, stop), 206 if found is not None else 200, headers, media_type
    )


def has_tag(header: str | None, etag: str) -> bool:
    """Tell whether an If-None-Match header names a tag."""
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags


def _parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    match = _RANGE.fullmatch(header.strip()) if header is not None else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        start, stop = max(0, size - int(match[2])), size
    else:
        start = int(match[1])
        stop = min(size, int(match[2]) + 1) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None  # no range at all by RFC 9110, so it is ignored
    if start >= stop:
        raise RangeError(size)
    return start, stop


def _read(source: ByteSource, start: int, stop: int) -> Iterator[bytes]:
    for offset in range(start, stop, _CHUNK_BYTES):
        yield bytes(source.read_at(offset, min(_CHUNK_BYTES, stop - offset)))


def _attach(filename: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", filename)
    return f'attachment; filename="{safe}"'
