"""C11: what is the same has the same digest, whatever the order it was said in."""

from __future__ import annotations

import hashlib

import pytest

from filmcan.contract.canonical import JsonError
from filmcan.contract.signature import ReuseKey, hash_canonical, hash_config, sign_models


def test_c11_the_config_hash_ignores_how_a_run_is_executed() -> None:
    profile = {"seed": 0, "limits": {"a": 1, "b": 2}}
    assert hash_config({**profile, "execution": {"threads": 8}}) == hash_config(profile)
    assert hash_config({"limits": {"b": 2, "a": 1}, "seed": 0}) == hash_config(profile)
    assert hash_config({**profile, "seed": 1}) != hash_config(profile)


def test_c11_a_signature_does_not_depend_on_the_order_of_models() -> None:
    first, second = {"model_name": "a"}, {"model_name": "b"}
    assert sign_models([first, second]) == sign_models([second, first])
    assert sign_models([first]) != sign_models([first, first])
    assert sign_models([]) == hashlib.sha256(b"[]").hexdigest()


def test_c11_a_reuse_key_is_the_digest_of_its_parts() -> None:
    key = ReuseKey({"video_id": "v1", "inputs": ["a"]})
    assert key.digest == hash_canonical({"inputs": ["a"], "video_id": "v1"})
    assert key.digest != ReuseKey({"video_id": "v2", "inputs": ["a"]}).digest


def test_what_no_json_can_say_has_no_digest() -> None:
    with pytest.raises(JsonError):
        hash_canonical({"x": float("nan")})
