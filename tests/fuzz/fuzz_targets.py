"""What is fuzzed: four parsers, their seeds, and the oracle each input is held to.

Any bytes give a value or the parser's own typed error, within the bars of threats.md, and touch
nothing outside (`fuzz_guard`). What is accepted, numpy reads alike (`fuzz_referee`); a manifest
survives being written and read again, every field of it.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fuzz_guard import guarded
from fuzz_referee import Referee

from filmcan.contract.manifest import _parse_field_by_field, parse_manifest
from filmcan.errors import InvalidArtifactError, InvalidManifestError
from filmcan.npz.limits import DEFAULT_LIMITS
from filmcan.npz.npy_header import NpyHeader, find_header_end, parse_header
from filmcan.npz.object_decoder import decode_object
from filmcan.npz.reader import NpzReader, open_npz
from filmcan.npz.source import MemorySource
from filmcan.npz.writer import write_npz
from filmcan.testing.hostile_npz import CASES
from filmcan.testing.made_npz import (
    make_npy,
    make_npz,
    make_object_npy,
    make_raw_npy,
    make_streamed_npz,
    make_zip,
    wrap_pickle,
)

_TESTS = Path(__file__).resolve().parent.parent
_GOLDEN = _TESTS / "data" / "npz"
_LARGEST_HOSTILE = 1 << 16

Mutate = Callable[[bytes, int], bytes]
"""Return changed bytes, at most so many."""


class DisagreementError(AssertionError):
    """Something was accepted and means something else to numpy, or after being written again."""


@dataclass(frozen=True)
class Target:
    """One parser under fire.

    Attributes:
        name: On the command line.
        seeds: Inputs to start from.
        run: Hold one input to the oracle; True when it was accepted.
        reshape: Change an input in a way that keeps its frame intact, so that changes reach what
            lies behind checksums: input, greatest size, a mutator of plain bytes, chance.
        max_bytes: Longest input tried.
    """

    name: str
    seeds: Callable[[], Iterator[bytes]]
    run: Callable[[bytes], bool]
    reshape: Callable[[bytes, int, Mutate, random.Random], bytes]
    max_bytes: int


_referee = Referee()


def _hold_against_numpy(kind: bytes, data: bytes) -> None:
    said = _referee.compare(kind, data)
    if said is not None:
        raise DisagreementError(said)


def count_questions() -> tuple[int, int]:
    """Return how often numpy was asked, and how often it would not read an object array."""
    return _referee.asked, _referee.refused


def close_referee() -> None:
    """End the child."""
    _referee.close()


# --- pickles ---------------------------------------------------------------------------------

_SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (2,), (3,), (2, 2), (1, 3), (4,))


def _run_pickle(data: bytes) -> bool:
    """First byte: which shape the array's header states; then the pickle."""
    if not data:
        return False
    shape = _SHAPES[data[0] % len(_SHAPES)]
    try:
        with guarded():
            found = decode_object(data[1:], shape, DEFAULT_LIMITS)
            repr(found)
    except InvalidArtifactError as error:
        _hold_message(error)
        return False
    if found.shape != shape or found.dtype != np.dtype(object):
        raise DisagreementError(f"{found.shape} is not {shape}")
    _hold_against_numpy(b"y", make_object_npy(data[1:], shape))
    return True


def _seed_pickles() -> Iterator[bytes]:
    for data in _npz_files():
        try:
            with open_npz(data) as npz:
                yield from _find_pickles(npz)
        except InvalidArtifactError:
            continue
    yield b"\0" + wrap_pickle(b"](K\x01NX\x01\x00\x00\x00ae")


def _find_pickles(npz: NpzReader) -> Iterator[bytes]:
    for member in npz._directory.members.values():
        try:
            header, body = npz._data.read_content(member, _LARGEST_HOSTILE)
        except InvalidArtifactError:
            continue
        if header.is_object:
            number = _SHAPES.index(header.shape) if header.shape in _SHAPES else 0
            yield bytes([number]) + bytes(body)


def _reshape_bytes(data: bytes, size: int, mutate: Mutate, chance: random.Random) -> bytes:
    return mutate(data, size)


# --- headers ---------------------------------------------------------------------------------


def _run_header(data: bytes) -> bool:
    """An array's first bytes; also with exactly the body its header asks for."""
    _parse_header(data, len(data))
    try:
        end = find_header_end(data[:12], DEFAULT_LIMITS)
    except InvalidArtifactError:
        return False
    # The size check is tried at every small size, so that an accepted header is found whatever
    # body it asks for; the message of a refusal is no interface.
    text = data[:end]
    for body_bytes in (len(data) - end, *_BODIES):
        if body_bytes < 0:
            continue
        header = _parse_header(text, end + body_bytes)
        if header is not None:
            if not header.is_object:
                _hold_against_numpy(b"y", text + bytes(body_bytes))
            return True
    return False


_BODIES = (0, 1, 2, 4, 8, 12, 16, 24, 32, 40, 48, 64, 96, 128)


def _parse_header(data: bytes, size: int) -> NpyHeader | None:
    try:
        with guarded():
            header = parse_header(data, size, DEFAULT_LIMITS)
    except InvalidArtifactError as error:
        _hold_message(error)
        return None
    if not header.is_object and header.items * header.dtype.itemsize != size - header.header_size:
        raise DisagreementError(f"{header} does not fill {size} bytes")
    return header


def _reshape_header(data: bytes, size: int, mutate: Mutate, chance: random.Random) -> bytes:
    """Change the text and count its length again, spell the entries anew, or change any byte."""
    kind = chance.random()
    if kind < 0.3:
        return mutate(data, size)
    text = _spell_header(chance) if kind < 0.6 else mutate(data[10:], size - 12).decode("latin1")
    return make_raw_npy(text.encode("latin1")[: size - 12], major=chance.choice((1, 2, 3)))


def _spell_header(chance: random.Random) -> str:
    """Return three entries in some order, as Python could write them, or nearly."""

    def blank() -> str:
        return "".join(chance.choices(("", " ", "\t", "\n", "\r", "\f", "#\n"), _BLANKS, k=2))

    def quote(text: str) -> str:
        mark = chance.choice("'\"")
        return f"{mark}{text}{mark}"

    axes = "".join(chance.choice(("1,", "2", " ", ",", "0,", "1,", "03,", "\n")) for _ in range(3))
    values = {
        "descr": quote(chance.choice(("<f4", ">U2", "|b1", "<c8", "<i8", "f4", "<m8[2s]"))),
        "fortran_order": chance.choice(("True", "False", "True", "False", "None")),
        "shape": chance.choice(("()", "(3,)", "(2, 2)", "(1)", f"({axes})", f"({axes})")),
    }
    entries = [
        blank() + quote(key) + blank() + ":" + blank() + values[key] + blank()
        for key in chance.sample(sorted(values), 3)
    ]
    closing = chance.choice(("", "", ",", ",,"))
    return (
        chance.choice(("", "", "", " "))
        + "{"
        + ",".join(entries)
        + closing
        + blank()
        + "}"
        + blank()
        + blank()
    )


_BLANKS = (30, 10, 2, 2, 2, 0.1, 0.1)


def _seed_headers() -> Iterator[bytes]:
    for text in ("<f4", "<M8[25ns]", "|S5", ">U3", "|b1", "<c16", "|O", ">i8"):
        for shape in ((), (0,), (3,), (2, 1, 2)):
            yield make_raw_npy(
                f"{{'descr': '{text}', 'fortran_order': False, 'shape': {shape!r}, }}\n"
            )
    for major in (1, 2, 3):
        yield make_npy(np.asfortranarray(np.eye(2, dtype="<f4")), (major, 0))
    yield make_raw_npy('{"shape":(2 , ),"descr":"<i4","fortran_order":True}', bytes(8))
    for data in _npz_files():
        try:
            with open_npz(data) as npz:
                members = list(npz._directory.members.values())
        except InvalidArtifactError:
            continue
        for member in members:
            if not member.method:
                content = data[member.offset : member.end]
                at = content.find(b"\x93NUMPY")
                yield content[at : at + 512]


# --- whole files -------------------------------------------------------------------------------


def _run_npz(data: bytes) -> bool:
    """Every way of reading, each held to the oracle by itself."""
    with guarded():
        try:
            npz = open_npz(MemorySource(data, "fuzzed.npz"))
        except InvalidArtifactError as error:
            _hold_message(error)
            return False
        keys = npz.keys()
        sound = [_is_typed(npz.check), _is_typed(npz.read_meta), _is_typed(npz.read_meta_object)]
        for key in keys:
            sound.append(_is_typed(lambda key=key: npz.read(key)))  # type: ignore[misc]
            _is_typed(lambda key=key: npz.read(key, verify=False))  # type: ignore[misc]
            _is_typed(lambda key=key: npz.map(key))  # type: ignore[misc]
            _is_typed(lambda key=key: npz.dtype(key))  # type: ignore[misc]
            _is_typed(lambda key=key: npz.read(key, rows=slice(1, 2)))  # type: ignore[misc]
    if not (sound[0] and all(sound[3:])):
        return False
    _hold_against_numpy(b"z", data)
    return True


def _is_typed(read: Callable[[], object]) -> bool:
    try:
        read()
    except InvalidArtifactError as error:
        _hold_message(error)
        return False
    return True


def _hold_message(error: InvalidArtifactError | InvalidManifestError) -> None:
    if not error.code or not str(error):
        raise DisagreementError("an error without code or words")


def _npz_files() -> Iterator[bytes]:
    for path in sorted((*_GOLDEN.glob("*.npz"), *(_TESTS / "released").rglob("*.npz"))):
        yield path.read_bytes()
    arrays: dict[str, np.ndarray] = {
        "x": np.arange(6, dtype=np.float32).reshape(2, 3),
        "names": np.array(["ü", None], dtype=object),
        "text": np.array(["ab", "c"]),
    }
    file = io.BytesIO()
    write_npz(file, arrays, {"status": "ok", "n": [1, None]})
    yield file.getvalue()
    for compressed in (False, True):
        named = {**arrays, "meta": np.array({"a": [1.5]}, dtype=object)}
        yield make_streamed_npz(named, compressed=compressed)
    yield make_zip()
    for case in CASES.values():
        built = case.build()
        if len(built) <= _LARGEST_HOSTILE:
            yield built


def _reshape_npz(data: bytes, size: int, mutate: Mutate, chance: random.Random) -> bytes:
    """Change one member and seal the container again, or change any byte of the whole."""
    if chance.random() < 0.5:
        return mutate(data, size)
    try:
        with open_npz(data) as npz:
            members = {
                member.key: bytes(data[member.offset : member.end])
                for member in npz._directory.members.values()
            }
            contents = {
                key: content[content.find(b"\x93NUMPY") :] for key, content in members.items()
            }
    except InvalidArtifactError:
        return mutate(data, size)
    if not contents:
        return mutate(data, size)
    key = chance.choice(sorted(contents))
    contents[key] = mutate(contents[key], max(16, min(size // 2, 4096)))
    try:
        sealed = make_npz(contents, method=8 if chance.random() < 0.2 else 0)
    except (ValueError, UnicodeEncodeError):
        return mutate(data, size)
    return sealed if len(sealed) <= size else mutate(data, size)


# --- manifests ---------------------------------------------------------------------------------


def _run_manifest(data: bytes) -> bool:
    """What is accepted is JSON to others, too, and survives being written and read again."""
    try:
        with guarded():
            manifest = parse_manifest(data)
            slowly = _parse_field_by_field(data, "")
            written = manifest.to_bytes()
            again = parse_manifest(written)
    except InvalidManifestError as error:
        _hold_message(error)
        return False
    if again != manifest:
        raise DisagreementError("the manifest reads differently after being written")
    lost = _find_lost(json.loads(data), json.loads(written), "")
    if lost is not None:
        raise DisagreementError(f"lost on rewriting: {lost}")
    if slowly != manifest:
        raise DisagreementError("the manifest reads differently at once and field by field")
    return True


def _find_lost(before: object, after: object, where: str) -> str | None:
    if type(before) is not type(after):
        return where
    if isinstance(before, dict) and isinstance(after, dict):
        missing = sorted(set(before) - set(after))
        if missing:
            return f"{where}/{missing[0]}"
        pairs = [(before[key], after[key], f"{where}/{key}") for key in before]
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            return where
        pairs = [(*pair, f"{where}[]") for pair in zip(before, after, strict=True)]
    else:
        return None if before == after else where
    return next((lost for pair in pairs if (lost := _find_lost(*pair))), None)


_MANIFEST = {
    "run": {
        "platform_id": "youtube", "video_id": "-a_B1", "run_id": "r1",
        "config_hash": "0" * 64, "dataprocessor_version": "1.0", "sampling_policy_version": "v1",
        "created_at": "2026-01-02T03:04:05.678Z", "updated_at": "2026-01-02T03:04:05.678Z",
        "revision": 1, "planned_components": ["a"], "unknown": [1, 2.5],
    },
    "components": [
        {
            "name": "a", "kind": "module", "status": "ok", "required": True, "duration_ms": 3,
            "artifacts": [
                {"path": "a/a.npz", "size_bytes": 3, "sha256": "0f" * 32, "kind": "npz"}
            ],
            "future": {"x": None},
        }
    ],
}  # fmt: skip


def _seed_manifests() -> Iterator[bytes]:
    for path in sorted((_TESTS / "released").rglob("manifest.json")):
        yield path.read_bytes()
    yield json.dumps(_MANIFEST).encode()
    yield b'{"run": {}, "components": []}'
    yield b'{"a": [1e999, NaN, -0, "\\ud800"], "a": 1}'


TARGETS = {
    target.name: target
    for target in (
        Target("pickle", _seed_pickles, _run_pickle, _reshape_bytes, 8_192),
        Target("header", _seed_headers, _run_header, _reshape_header, 2_048),
        Target("npz", _npz_files, _run_npz, _reshape_npz, 16_384),
        Target("manifest", _seed_manifests, _run_manifest, _reshape_bytes, 8_192),
    )
}
