"""Hostile `meta_json` beside a good `meta` (threats B1, B4)."""

from __future__ import annotations

import numpy as np

from filmcan.testing import made_npz as m
from filmcan.testing.hostile_case import Corpus

CASES = Corpus()


def _json(name: str, text: str) -> None:
    """Add a case with a good `meta` and a bad `meta_json`."""
    CASES.add(name, "meta_invalid", lambda: _with_json(m.make_npy(np.array(text))))


def _with_json(member: bytes) -> bytes:
    return m.make_npz({"meta": m.make_object_npy(m.wrap_pickle(b"}")), "meta_json": member})


_json("b1_json_duplicate_key", '{"a":1,"a":2}')
_json("b1_json_nan", '{"a":NaN}')
_json("b1_json_overflow", '{"a":1e999}')
_json("b1_json_deep", '{"a":' + "[" * 70 + "]" * 70 + "}")
_json("b1_json_trailing", "{} {}")
_json("b1_json_list", "[]")
_json("b1_json_empty", "")
_json("b1_json_lone_surrogate", '{"a":"\\ud800"}')
_json("b1_json_too_many_values", '{"a":[' + '{"":0},' * 300_000 + "0]}")
_json("b1_json_quotes_without_end", "[" * 70 + '"' + '\\"' * 1_000_000)
CASES.add(
    "b1_json_is_object", "meta_invalid", lambda: _with_json(m.make_npy(np.array("{}", object)))
)
CASES.add("b1_json_is_row", "meta_invalid", lambda: _with_json(m.make_npy(np.array(["{}"]))))
CASES.add("b1_json_is_bytes", "meta_invalid", lambda: _with_json(m.make_npy(np.array(b"{}"))))
CASES.add(
    "b1_json_no_unicode",
    "meta_invalid",
    lambda: _with_json(m.make_npy(np.array([0x7B, 0x110000], "<u4").view("<U2").reshape(()))),
)
CASES.add(
    "b1_json_too_long",
    "limit_exceeded",
    lambda: m.make_npz(
        {"meta_json": m.make_npy(np.array(" " * ((4 << 20) + 1)))}, method=m.DEFLATED
    ),
)
