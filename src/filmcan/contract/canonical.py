"""JSON in one canonical form, and a parser that refuses what the form cannot mean.

Canonical: keys sorted, no spaces, UTF-8 text unescaped, no NaN. The same value always gives the
same text, so its digest identifies it.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import NoReturn

import msgspec

MAX_DEPTH = 64
MAX_INTEGER_DIGITS = 4_300
"""With its sign. Python refuses to convert more, and msgspec likewise."""

MAX_VALUES = 500_000
"""Values, and keys of objects: 16 MiB of `{"":0},` would take half a gigabyte once parsed."""

_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""Also one that never ends: looking for its end from every quote in it would take for ever."""

_BRACKETS = re.compile(r"[\[\]{}]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class JsonError(ValueError):
    """The text is not strict JSON; the message says what is wrong and where."""


def canonical_json(value: object) -> str:
    """Return the canonical text of a value made of dict, list, str, int, float, bool and None.

    Raises:
        JsonError: The value holds NaN, an infinity, a lone surrogate, a key that is no string,
            or another type, or more, or more deeply, than `parse_json` takes.
    """
    _check_parts(value)
    try:
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise JsonError(f"no canonical JSON for this value: {error}") from error
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise JsonError("a lone surrogate is no text") from error
    _check_bounds(text)
    return text


def parse_json(text: str | bytes) -> object:
    """Return the value of strict JSON.

    Refused: text that is not UTF-8, duplicate keys, NaN and Infinity, numbers that overflow,
    nesting deeper than `MAX_DEPTH`, more than `MAX_VALUES`, lone surrogates, trailing data, a byte
    order mark.

    Raises:
        JsonError: The text is not strict JSON.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise JsonError(f"not UTF-8 at byte {error.start}") from error
    opened = text.count("[") + text.count("{")
    if opened <= MAX_DEPTH and _count_at_most(text, opened) <= MAX_VALUES:
        # What comes out again letter for letter says nothing twice, and rounds nothing.
        with contextlib.suppress(ValueError):
            value: object = _decode(text)
            if _encode(value) == text.encode():
                return value
    return _parse_slowly(text)


def _parse_slowly(text: str) -> object:
    if text.startswith("\ufeff"):
        raise JsonError("it starts with a byte order mark (BOM)")
    _check_bounds(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise JsonError(f"{error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise JsonError(f"nested deeper than {MAX_DEPTH}") from error
    if _SURROGATE_ESCAPE.search(text):
        _check_surrogates(value)
    return value


def _check_parts(value: object) -> None:
    """Refuse keys that are no strings, and more values than a text may hold.

    Each is counted as often as it would be written, before it is looked at: a list may hold itself.
    """
    pending = [value]
    room = MAX_VALUES
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            for key in item:
                if not isinstance(key, str):
                    raise JsonError(f"key {key!r} is no string")
            room -= 2 * len(item)
            parts: Iterable[object] = item.values()
        elif isinstance(item, list | tuple):
            room -= len(item)
            parts = item
        else:
            continue
        if room < 0:
            raise JsonError(f"more than {MAX_VALUES} values")
        pending.extend(parts)


def _check_bounds(text: str) -> None:
    """Refuse what is nested too deeply or holds too much, before anything is built from it."""
    opened = text.count("[") + text.count("{")
    if opened <= MAX_DEPTH and _count_at_most(text, opened) <= MAX_VALUES:
        return  # what stands inside strings only makes these upper bounds
    bare = _STRING.sub("", text)
    if _count_at_most(bare, bare.count("[") + bare.count("{")) > MAX_VALUES:
        raise JsonError(f"more than {MAX_VALUES} values")
    depth = 0
    for match in _BRACKETS.finditer(bare):
        depth += 1 if match.group() in "[{" else -1
        if depth > MAX_DEPTH:
            raise JsonError(f"nested deeper than {MAX_DEPTH}")


def _count_at_most(text: str, opened: int) -> int:
    """Return how many values and keys there can be: one behind each of these signs, and one."""
    return text.count(",") + text.count(":") + opened + 1


def _build_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise JsonError(f"duplicate key {counts.most_common(1)[0][0]!r}")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is not JSON")


def _parse_int(digits: str) -> int:
    if len(digits) > MAX_INTEGER_DIGITS:
        raise JsonError(f"a number of {len(digits)} digits")
    return int(digits)


def _parse_float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise JsonError(f"the number {digits[:40]} overflows")
    return value


def _check_surrogates(value: object) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            try:
                item.encode("utf-8")
            except UnicodeEncodeError as error:
                raise JsonError("a string holds a lone surrogate") from error
        elif isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_DECODER = json.JSONDecoder(
    object_pairs_hook=_build_object,
    parse_constant=_refuse_constant,
    parse_int=_parse_int,
    parse_float=_parse_float,
)
"""Built once: small documents would otherwise cost more to set up than to parse."""
