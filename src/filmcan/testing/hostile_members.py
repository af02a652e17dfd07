"""Files whose object members are missing, or too much together, each being sound (threats B1)."""

from __future__ import annotations

import struct

import numpy as np

from filmcan.npz.limits import DEFAULT_LIMITS
from filmcan.testing import made_npz as m
from filmcan.testing.hostile_case import FLOATS, Corpus
from filmcan.testing.made_pickle import FROM_BUFFER, put_array, put_dtype, put_text

CASES = Corpus()


def _make_many(item: bytes, count: int, members: int) -> bytes:
    """Return an NPZ of small size with many compressed members, each an array of some items."""
    shape = b"J" + struct.pack("<l", count) + b"\x85"
    pickled = b"\x80\x02" + put_array(shape, put_dtype("O8"), b"](" + item + b"e") + b"."
    content = m.make_object_npy(pickled, (count,))
    return m.make_npz({f"k{n}": content for n in range(members)}, method=m.DEFLATED)


def make_bomb() -> bytes:
    """Return 40 members of 99,000 lists each, in some 20 kB: two of them fill the limits."""
    return _make_many(b"]" * 99_000, 99_000, 40)


def make_largest() -> bytes:
    """Return a small file that takes as much memory as the default limits let pass."""
    numbers = (
        FROM_BUFFER[:-1]
        + b"q\x60(C\x08abcdefgh"
        + put_dtype("f8")
        + b")"
        + put_text("C")
        + b"tq\x61R"
    )
    copies = b"B" + struct.pack("<L", 400_000) + bytes(400_000) + put_dtype("f8")
    copies = b"h\x60(" + copies + b"J" + struct.pack("<l", 50_000) + b"\x85" + put_text("C")
    text = put_text("x" * 6_500_000 + "\U0001f600")
    items = numbers + b"h\x60h\x61R" * 98_000 + copies + b"tq\x62R" + b"h\x60h\x62R" * 50 + text
    shape = (98_000 + 1 + 50 + 1 + 1,)
    said = b"J" + struct.pack("<l", *shape) + b"\x85"
    objects = b"\x80\x02" + put_array(said, put_dtype("O8"), b"](" + items + b"e") + b"."
    text_of_meta = '{"a":[' + ",".join(["{}"] * 230_000) + "]}"
    arrays = {
        "meta": m.make_npy(np.array({}, dtype=object)),
        "meta_json": m.make_npy(np.array(text_of_meta.ljust(DEFAULT_LIMITS.max_json_chars))),
        "objects": m.make_object_npy(objects, shape),
    }
    left = DEFAULT_LIMITS.max_inflated_bytes - sum(map(len, arrays.values())) - 4_096
    zeros = m.make_npy(np.zeros(left // 2, np.uint8))
    return m.make_npz({"a": zeros, "z": zeros, **arrays}, method=m.DEFLATED)


_TEXT = put_text("x" * 3_000_000)
_MANY = b"](" + b"]" * 1_000 + b"eq\x60" + b"h\x60" * 98
"""99 references to one list of 1,000 empty ones: 99,099 values when written out."""

CASES.add("b1_members_of_shared_lists", "limit_exceeded", lambda: _make_many(_MANY, 99, 40))
CASES.add("b1_members_of_text", "limit_exceeded", lambda: _make_many(_TEXT, 1, 4))
CASES.add(
    "b1_meta_is_text", "meta_invalid", lambda: m.make_npz({"meta": m.make_npy(np.array("{}"))})
)
CASES.add(
    "b1_meta_is_row", "meta_invalid", lambda: m.make_npz({"meta": m.make_npy(np.array([{}]))})
)
CASES.add("b1_meta_is_missing", "meta_missing", lambda: m.make_npz({"a": FLOATS}))
CASES.add("b1_meta_of_nothing", "meta_missing", m.make_zip)
