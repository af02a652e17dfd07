"""Hostile array headers (threats B2)."""

from __future__ import annotations

from filmcan.testing import made_npz as m
from filmcan.testing.hostile_case import FLOATS, MARKER, Corpus

CASES = Corpus()


def _header(name: str, code: str, header: str | bytes, body: bytes = b"", major: int = 1) -> None:
    """Add a case whose one array has this header."""
    CASES.add(name, code, lambda: m.make_npz({"a": m.make_raw_npy(header, body, major=major)}))


def _member(name: str, content: bytes) -> None:
    """Add a stored and a compressed member that is no array."""
    CASES.add(name, "npy_header", lambda: m.make_npz({"a": content}))
    CASES.add(
        f"{name}_deflated", "npy_header", lambda: m.make_npz({"a": content}, method=m.DEFLATED)
    )


def _descr(name: str, descr: str, body: bytes = bytes(8), code: str = "npy_dtype") -> None:
    _header(name, code, f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}\n", body)


def _shape(name: str, shape: str, body: bytes = bytes(4), code: str = "npy_shape") -> None:
    _header(name, code, f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n", body)


for _name, _descriptor in {
    "void": "'|V8'",
    "alias": "'f4'",
    "alias_long": "'float32'",
    "native": "'=f4'",
    "comma": "'<f4,<i4'",
    "subarray": "'(2,)<f4'",
    "unknown_width": "'<f3'",
    "empty_text": "'<U0'",
    "empty_bytes": "'|S0'",
    "padded_width": "'|S08'",
    "time_unit": "'<M8[foo]'",
    "time_event": "'<M8[s]//4'",
    "orderless": "'|f4'",
    "object_alias": "'|O8'",
    "long_text": "'<U999999999'",
    "wide_text": "'<U300000000'",
    "python2": "'<a4'",
}.items():
    _descr(f"b2_dtype_{_name}", _descriptor)
_descr("b2_dtype_structured", "[('a', '<f4'), ('b', '<f4')]", code="npy_header")
_descr("b2_dtype_titled", "[(('t', 'a'), '<f4')]", code="npy_header")
_descr("b2_dtype_call", f"__import__('os').system('touch {MARKER}')", code="npy_header")

for _name, _axes in {
    "number": "(1)",
    "leading_zero": "(01,)",
    "huge_dims": "(0, 999999999999999999, 99)",
    "product_overflow": "(4294967296, 4294967296, 4294967296)",
    "33_axes": f"({'1,' * 33})",
    "many_digits": f"({'9' * 30},)",
    "empty_axis": "(1,,1)",
    "two_commas": "(1,,)",
    "spaced": "(1 1,)",
}.items():
    _shape(f"b2_shape_{_name}", _axes)
for _name, _axes in {
    "negative": "(-1,)",
    "float": "(1.0,)",
    "true": "(True,)",
    "list": "[1]",
    "nested": "((1,),)",
    "exponent": "(1e0,)",
    "operator": "(2**0,)",
    "hexadecimal": "(0x1,)",
    "underscore": "(1_0,)",
    "none": "None",
    "python2_long": "(1L,)",
    "arabic_digit": "(\\u0661,)",
    "call": f"(open({MARKER!r}, 'w'),)",
}.items():
    _shape(f"b2_shape_{_name}", _axes, code="npy_header")
_shape("b2_size_short", "(2,)", bytes(7), "npy_size")
_shape("b2_size_trailing", "(2,)", bytes(9), "npy_size")
_shape("b2_size_huge", "(1000000000,)", bytes(4), "npy_size")
_shape("b2_size_of_empty", "(0,)", bytes(4), "npy_size")

_GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }"
for _name, _header_text in {
    "empty": "",
    "empty_dict": "{}",
    "missing_key": "{'descr': '<f4', 'shape': (1,), }",
    "extra_key": _GOOD[:-1] + "'x': 1}",
    "twice": _GOOD[:-1] + "'descr': '<f8'}",
    "number_for_flag": _GOOD.replace("False", "0"),
    "nesting": "(" * 9_000 + ")" * 900,
    "nested_lists": "[" * 9_900,
    "operators": _GOOD.replace("(1,)", "-" * 5_000 + "1"),
    "lambda": "(lambda: {})()",
    "comment": _GOOD + "#",
    "two": _GOOD + _GOOD,
    "bytes_keys": _GOOD.replace("'descr'", "b'descr'"),
    "joined": _GOOD.replace("'<f4'", "'<' 'f4'"),
    "mixed_quotes": _GOOD.replace("'descr'", "'descr\""),
    "list": "['descr']",
    "not_ascii": _GOOD.replace("f4", "f\xb2"),
    "no_brace": _GOOD[1:],
    "unclosed": _GOOD[:-1],
}.items():
    _header(f"b2_header_{_name}", "npy_header", _header_text, bytes(4))
_header("b2_header_version_4", "npy_header", _GOOD, bytes(4), 4)
_header("b2_header_version_0", "npy_header", _GOOD, bytes(4), 0)
_header("b2_header_too_long", "limit_exceeded", _GOOD + " " * 10_000, bytes(4))
_header("b2_header_too_long_2", "limit_exceeded", _GOOD + " " * 100_000, bytes(4), 2)
for _name, _bytes in {
    "nothing": b"",
    "zeros": bytes(200),
    "magic": b"\x93NUMPY\x01",
    "cut_length": b"\x93NUMPY\x01\x00\x76",
    "cut_text": FLOATS[:60],
    "lying_length": b"\x93NUMPY\x02\x00\x10\x27\x00\x00{",
    "nested_zip": m.make_npz({"a": FLOATS}),
    "text": b"hello, world, this is no array at all",
}.items():
    _member(f"b2_member_{_name}", _bytes)
