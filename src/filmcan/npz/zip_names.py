"""Which member names are keys: plain `<key>.npy`, the same on every disk."""

from __future__ import annotations

import functools
import re
import unicodedata

from filmcan.npz.refusal import refuse
from filmcan.npz.zip_format import FLAG_UTF8

MAX_NAME_BYTES = 255
SUFFIX = ".npy"

_DOUBLED = f"ends in {SUFFIX}, by which numpy takes another array for it"
"""`NpzFile` finds `a` by both names of its member, `a` and `a.npy`, before it asks for a key."""

_FORBIDDEN = re.compile(r'[/\\:*?"<>|]')
_OURS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


@functools.lru_cache(maxsize=4_096)
def parse_name(name: bytes, flags: int) -> tuple[str, str]:
    """Return the key of a member name, and its form in which twins are equal.

    Args:
        name: As in the directory.
        flags: The member's flags, which tell the encoding.

    Raises:
        InvalidArtifactError: It is no `<key>.npy`, or names another folder or a hidden file.
    """
    try:
        text = name.decode("utf-8" if flags & FLAG_UTF8 else "ascii")
    except UnicodeDecodeError as error:
        raise refuse(
            "zip_name", f"member name {name!r:.100} is not in its declared encoding"
        ) from error
    key = text.removesuffix(SUFFIX)
    if not key or key == text:
        raise refuse("zip_name", f"member {text!r:.100} is no array: expected <key>{SUFFIX}")
    fault = find_key_fault(key)
    if fault:
        raise refuse("zip_name", f"member name {text!r:.100}: its key {fault}")
    return key, unicodedata.normalize("NFC", key).casefold()


def find_key_fault(key: str) -> str | None:
    """Return why a text can be no key of an array from anywhere, None when it can be one."""
    if len(key.encode("utf-8", "surrogatepass")) + len(SUFFIX) > MAX_NAME_BYTES:
        return f"has more than {MAX_NAME_BYTES - len(SUFFIX)} bytes"
    if not key or key.startswith(".") or not key.isprintable() or _FORBIDDEN.search(key):
        return "is not plain"
    return _DOUBLED if key.endswith(SUFFIX) else None


@functools.lru_cache(maxsize=4_096)
def build_name(key: str) -> bytes:
    """Return the member name for a key of ours.

    Raises:
        InvalidArtifactError: The key has characters other than letters, digits, `_`, `.`, `-`, or
            ends in `.npy`.
    """
    if not _OURS.fullmatch(key):
        raise refuse(
            "zip_name",
            f"{key!r} cannot be a key",
            "Use letters, digits, underscore, dot and hyphen, starting with none of the last two.",
        )
    if key.endswith(SUFFIX):
        raise refuse("zip_name", f"the key {key!r} {_DOUBLED}", f"Leave {SUFFIX} out.")
    return (key + SUFFIX).encode("ascii")
