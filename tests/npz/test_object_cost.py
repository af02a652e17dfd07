"""B1: the limits on objects hold for all object members of a file together."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from filmcan.errors import InvalidArtifactError
from filmcan.npz.limits import DEFAULT_LIMITS, ReadLimits
from filmcan.npz.object_cost import ObjectCost, ObjectLedger
from filmcan.npz.object_decoder import decode_object
from filmcan.npz.object_encoder import encode_object
from filmcan.npz.reader import open_npz
from filmcan.npz.writer import write_npz
from filmcan.testing.made_npz import make_npy, make_npz, make_object_npy, wrap_pickle
from filmcan.testing.made_pickle import put_array, put_dtype, put_text


def _measure(value: np.ndarray) -> ObjectCost:
    """Return what an object array costs."""
    cost = ObjectCost()
    decode_object(encode_object(value), value.shape, DEFAULT_LIMITS, cost)
    return cost


_ARRAY = np.array(["some text", [1, 2.5, None], {"k": b"xyz"}], dtype=object)
_COST = _measure(_ARRAY)


def _allow(factor: float) -> dict[str, ReadLimits]:
    """Return limits of which one each allows so many times what `_ARRAY` costs."""
    names = ("size_bytes", "opcodes", "nodes", "text_bytes")
    fields = ("max_object_bytes", *(f"max_object_{name}" for name in names[1:]))
    return {
        field: replace(DEFAULT_LIMITS, **{field: int(factor * getattr(_COST, name))})
        for field, name in zip(fields, names, strict=True)
    }


def _make(count: int, *, method: int = 0) -> bytes:
    member = make_object_npy(encode_object(_ARRAY), _ARRAY.shape)
    return make_npz({f"k{number}": member for number in range(count)}, method=method)


def test_a_cost_is_counted_exactly() -> None:
    assert _COST.nodes == 8
    assert _COST.text_bytes == len("some text") + len("k") + len("xyz")
    assert _COST.size_bytes == len(encode_object(_ARRAY))
    for field, limits in _allow(1).items():
        with open_npz(_make(1), limits) as npz:
            npz.check()
        tight = replace(limits, **{field: getattr(limits, field) - 1})
        with pytest.raises(InvalidArtifactError, match=field):
            open_npz(_make(1), tight).check()


@pytest.mark.parametrize("field", _allow(1))
@pytest.mark.parametrize("method", [0, 8])
def test_b1_each_limit_holds_for_all_members_together(field: str, method: int) -> None:
    data, limits = _make(5, method=method), _allow(3.5)[field]
    npz = open_npz(data, limits)
    for key in ("k4", "k2", "k0"):
        assert npz[key].tolist() == _ARRAY.tolist()
    for refused in ("k1", "k3", "k1"):
        with pytest.raises(InvalidArtifactError, match=field) as caught:
            npz.read(refused)
        assert caught.value.where == f"memory: {refused}"
    with pytest.raises(InvalidArtifactError, match=field):
        open_npz(data, limits).check()


@pytest.mark.parametrize("field", _allow(1))
def test_a_member_that_is_read_again_does_not_count_again(field: str) -> None:
    npz = open_npz(_make(3), _allow(3)[field])
    reads: list[Callable[[str], object]] = [
        npz.read,
        npz.map,
        lambda key: npz.read(key, slice(0, 2)),
        lambda key: npz.read(key, verify=False),
    ]
    for _ in range(3):
        npz.check()
        for read in reads:
            for key in npz:
                read(key)


def test_b1_threads_share_what_is_left() -> None:
    limits = _allow(4.5)["max_object_nodes"]
    npz = open_npz(_make(12), limits)

    def read(key: str) -> bool:
        try:
            return npz.read(key).tolist() == _ARRAY.tolist()
        except InvalidArtifactError:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(read, npz.keys())) == 4


def test_b1_a_member_is_decoded_while_no_other_is() -> None:
    ledger = ObjectLedger()
    with ThreadPoolExecutor(1) as other:

        def decode_second(cost: ObjectCost) -> np.ndarray:
            return np.array(cost.nodes)

        def decode_first(cost: ObjectCost) -> np.ndarray:
            waiting.append(other.submit(ledger.spend, "b", decode_second))
            with pytest.raises(TimeoutError):
                waiting[0].result(timeout=0.05)
            cost.nodes += 5
            return np.array(cost.nodes)

        waiting: list[Future[np.ndarray]] = []
        ledger.spend("a", decode_first)
        assert waiting[0].result() == 5


_SYMBOL = b"cnumpy\nndarray\n"
"""Stands on the stack like any value, and is refused when values are built."""

_PAIRS = b"".join(put_text(f"{number:03}") + b"N" for number in range(150))


@pytest.mark.parametrize(
    ("member", "limits"),
    [
        (b"](" + b"N" * 150 + b"ecos\nsystem\n", ReadLimits(max_object_opcodes=400)),
        (b"](" + b"N" * 150 + b"ecos\nsystem\n", ReadLimits(max_object_bytes=1_000)),
        (b"](" + b"N" * 150 + _SYMBOL + b"e", ReadLimits(max_object_nodes=400)),
        (b"(" + b"N" * 150 + _SYMBOL + b"t", ReadLimits(max_object_nodes=400)),
        (b"}(" + _PAIRS + put_text("x") + _SYMBOL + b"u", ReadLimits(max_object_nodes=400)),
        (
            put_array(b"K\x97\x85", put_dtype("O8"), b"](" + b"N" * 150 + _SYMBOL + b"e"),
            ReadLimits(max_object_nodes=400),
        ),
        (
            b"]("
            + put_array(b"K\x96\x85", put_dtype("S1"), b"C\x96" + bytes(150))
            + _SYMBOL
            + b"e",
            ReadLimits(max_object_text_bytes=400),
        ),
        (
            b"(c_codecs\nencode\n" + put_text("x" * 150) + put_text("latin1") + b"\x86R)R",
            ReadLimits(max_object_text_bytes=400),
        ),
    ],
    ids=["opcodes", "bytes", "list", "tuple", "dict", "array", "data", "copies"],
)
def test_b1_what_failed_counts_for_what_it_cost(member: bytes, limits: ReadLimits) -> None:
    content = make_object_npy(wrap_pickle(member))
    npz = open_npz(make_npz({f"k{number}": content for number in range(9)}), limits)
    codes = []
    for key in npz:
        with pytest.raises(InvalidArtifactError) as caught:
            npz.read(key)
        codes.append(caught.value.code)
    assert codes[0] == "pickle_refused"
    assert codes[-1] == "limit_exceeded"


def test_a_damaged_member_leaves_the_others_readable() -> None:
    meta = make_npy(np.array({"status": "ok"}, dtype=object))
    damaged = make_object_npy(wrap_pickle(b"cos\nsystem\n"))
    npz = open_npz(make_npz({"a": damaged, "b": damaged, "meta": meta}))
    for key in ("a", "b"):
        with pytest.raises(InvalidArtifactError, match="never looked up"):
            npz.read(key)
    assert npz.read_meta_object() == {"status": "ok"}


@pytest.mark.parametrize(
    ("arrays", "field"),
    [
        ({key: np.full(110_000, None) for key in "ab"}, "max_object_nodes"),
        ({"b": np.array(list(np.zeros(20_000)), dtype=object)}, "max_object_opcodes"),
        ({key: np.array(["x" * 5_000_000], dtype=object) for key in "ab"}, "max_object_bytes"),
    ],
    ids=["nodes", "opcodes", "bytes"],
)
def test_objects_that_are_too_much_to_be_read_back_are_not_written(
    arrays: dict[str, Any], field: str
) -> None:
    file = io.BytesIO()
    with pytest.raises(InvalidArtifactError, match=field) as caught:
        write_npz(file, arrays, {})
    assert caught.value.where == "b"
    assert file.getvalue() == b""


def test_many_objects_within_the_limits_are_written_and_read() -> None:
    file = io.BytesIO()
    names = np.array([f"n{number}" for number in range(50_000)], dtype=object)
    write_npz(file, {"a": names, "b": names, "x": np.zeros(9)}, {"status": "ok"})
    with open_npz(file.getvalue()) as npz:
        npz.check()
        assert npz["a"].tolist() == npz["b"].tolist() == names.tolist()
