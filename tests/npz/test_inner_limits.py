"""B1: limits that other limits stand behind, each seen at work on its own."""

from __future__ import annotations

import inspect
import sys
from dataclasses import replace

import pytest

from filmcan.errors import InvalidArtifactError
from filmcan.npz import object_encoder
from filmcan.npz.limits import DEFAULT_LIMITS
from filmcan.npz.object_decoder import decode_object
from filmcan.npz.object_encoder import encode_object


def test_b1_a_caller_deep_in_calls_gets_a_typed_error() -> None:
    value: object = 1
    for _ in range(80):
        value = [value]
    data = encode_object(value)
    former = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 60)
    try:
        with pytest.raises(InvalidArtifactError, match="deeper than the caller's stack"):
            decode_object(data, (), DEFAULT_LIMITS)
    finally:
        sys.setrecursionlimit(former)


def test_b1_a_giant_integer_is_refused_before_it_is_built() -> None:
    digits = bytes(5_000)
    data = b"\x80\x02\x8b" + len(digits).to_bytes(4, "little") + digits + b"."
    with pytest.raises(InvalidArtifactError, match="an integer of 5000 bytes"):
        decode_object(data, (), DEFAULT_LIMITS)


def test_b1_bytes_too_long_for_their_length_field_are_never_encoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        object_encoder, "DEFAULT_LIMITS", replace(DEFAULT_LIMITS, max_object_bytes=999)
    )
    assert object_encoder._encode_bytes(bytes(999))
    with pytest.raises(InvalidArtifactError, match="max_object_bytes"):
        object_encoder._encode_bytes(bytes(1_000))


def test_b1_a_length_beyond_the_end_is_refused_where_it_stands() -> None:
    data = b"\x80\x02X" + (100).to_bytes(4, "little") + b"abc."
    with pytest.raises(InvalidArtifactError, match="100 bytes announced, 4 are left"):
        decode_object(data, (), DEFAULT_LIMITS)
