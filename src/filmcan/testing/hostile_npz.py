"""A corpus of hostile and damaged NPZ files, at least two for each bullet of threats B1-B3.

Each is built by code and breaks the rule it is named for. A reader must answer every one with
`InvalidArtifactError` (the code is part of the case), execute nothing, and stay within bounds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from filmcan.testing import made_npz as m

MARKER = "filmcan_marker"
"""Payloads would create a file of this name in the working directory."""


@dataclass(frozen=True)
class HostileCase:
    """One hostile file.

    Attributes:
        build: Makes its bytes.
        code: The error code it must be refused with.
    """

    build: Callable[[], bytes]
    code: str


CASES: dict[str, HostileCase] = {}

_FLOATS = m.make_npy(np.arange(6, dtype="<f4").reshape(2, 3))
_TOUCH = f"touch {MARKER}".encode()
_SYSTEM = b"cos\nsystem\n"
_TOUCH_TEXT = b"X" + struct.pack("<L", len(_TOUCH)) + _TOUCH


def _add(name: str, code: str, build: Callable[[], bytes]) -> None:
    CASES[name] = HostileCase(build, code)


# --- B1: pickles ------------------------------------------------------------------------------

_REFUSED = "pickle_refused"
_DAMAGED = "pickle_damaged"
_LIMIT = "limit_exceeded"


def _item(name: str, code: str, *opcodes: bytes) -> None:
    """Add a case whose `meta` is a 0-d object array with one item made by some opcodes."""
    _add(name, code, lambda: m.make_meta_npz(m.wrap_pickle(b"".join(opcodes))))


def _pickle(name: str, code: str, pickled: bytes, shape: tuple[int, ...] = ()) -> None:
    """Add a case whose `meta` holds a whole pickle."""
    _add(name, code, lambda: m.make_meta_npz(pickled, shape))


def _text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<L", len(data)) + data


_item("b1_call_reduce_os_system", _REFUSED, _SYSTEM, b"(", _TOUCH_TEXT, b"tR")
_item("b1_call_reduce_eval", _REFUSED, b"cbuiltins\neval\n(", _text(f"open({MARKER!r},'w')"), b"tR")
_item("b1_call_reduce_of_text", _REFUSED, _text("system"), b"(", _TOUCH_TEXT, b"tR")
_item("b1_call_reduce_of_list_arguments", _REFUSED, b"cnumpy\ndtype\n", b"](", _text("f4"), b"eR")
_item("b1_call_ndarray_itself", _REFUSED, b"cnumpy\nndarray\n(K\x02\x85tR")
_item("b1_call_inst", _REFUSED, b"(", _TOUCH_TEXT, b"ios\nsystem\n")
_item("b1_call_obj", _REFUSED, b"(", _SYSTEM, _TOUCH_TEXT, b"o")
_item("b1_call_newobj", _REFUSED, b"csubprocess\nPopen\n(", _TOUCH_TEXT, b"t\x81")
_item("b1_call_newobj_of_known_name", _REFUSED, b"cnumpy\nndarray\n(K\x02t\x81")
_item("b1_call_newobj_ex", _REFUSED, b"cnumpy\nndarray\n)}\x92")
_item("b1_name_global_posix", _REFUSED, b"cposix\nsystem\n")
_item("b1_name_stack_global", _REFUSED, _text("os"), _text("system"), b"\x93")
_item("b1_name_stack_global_of_number", _REFUSED, b"K\x01", _text("system"), b"\x93")
_item("b1_name_stack_global_of_list", _REFUSED, b"]", _text("system"), b"\x93")
_item("b1_name_memoised", _REFUSED, _text("os"), b"q\x50h\x50", _text("system"), b"\x93")
_item("b1_name_overwritten_in_memo", _DAMAGED, _text("numpy"), b"q\x50", _text("os"), b"q\x50")
_item("b1_name_dotted", _REFUSED, _text("numpy"), _text("ndarray.tofile"), b"\x93")
_item("b1_name_dotted_module", _REFUSED, b"cnumpy.core.multiarray.os\nsystem\n")
_item("b1_name_python2_builtin", _REFUSED, b"c__builtin__\neval\n")
_item("b1_name_python2_copy_reg", _REFUSED, b"ccopy_reg\n_reconstructor\n")
_item("b1_name_numpy_memmap", _REFUSED, b"cnumpy\nmemmap\n(", _text(MARKER), b"tR")
_item("b1_name_numpy_data_source", _REFUSED, b"cnumpy.lib._datasource\nDataSource\n)R")
_item("b1_name_numpy_load", _REFUSED, b"cnumpy\nload\n")
_item("b1_name_numpy_distutils_exec", _REFUSED, b"cnumpy.distutils.exec_command\nexec_command\n")
_item("b1_name_numpy_runstring", _REFUSED, b"cnumpy.testing._private.utils\nrunstring\n")
_item("b1_name_of_dtype_subclass", _REFUSED, b"cnumpy.dtypes\nVoidDType\n")
_item("b1_name_very_long", _DAMAGED, b"c" + b"a" * 5_000 + b"\nb\n")
_item("b1_ext1", _REFUSED, b"\x82\x01")
_item("b1_ext2", _REFUSED, b"\x83\x01\x00")
_item("b1_ext4", _REFUSED, b"\x84\x01\x00\x00\x00")
_item("b1_persistent_text", _REFUSED, b"Pfilmcan\n")
_item("b1_persistent_binary", _REFUSED, _text("filmcan"), b"Q")
_item("b1_side_import_antigravity", _REFUSED, b"cantigravity\nfly\n")
_item("b1_side_import_this", _REFUSED, b"cthis\ns\n")
_item("b1_side_build_on_dict", _REFUSED, b"}}", _text("a"), b"K\x01sb")
_item("b1_side_build_on_symbol", _REFUSED, b"cnumpy\nndarray\n}", _text("__init__"), b"Nsb")
_item("b1_side_build_on_list", _REFUSED, b"]}b")
_item("b1_side_symbol_as_value", _REFUSED, b"cnumpy\nndarray\n")
_item("b1_side_type_as_value", _REFUSED, b"cnumpy\ndtype\n(", _text("f4"), b"\x89\x88tR")
_item("b1_side_bytearray_as_value", _REFUSED, b"\x96" + struct.pack("<Q", 1) + b"x")
_item("b1_side_array_without_state", _REFUSED, b"cnumpy._core.multiarray\n_reconstruct\n",
      b"cnumpy\nndarray\nK\x00\x85C\x01b\x87R")  # fmt: skip
_item("b1_side_append_to_array", _REFUSED, b"cnumpy._core.multiarray\n_reconstruct\n",
      b"cnumpy\nndarray\nK\x00\x85C\x01b\x87RNa")  # fmt: skip
_item("b1_side_set_item_of_list", _REFUSED, b"]", _text("a"), b"Ns")
_item("b1_set", _REFUSED, b"\x8f(K\x01\x90")
_item("b1_frozenset", _REFUSED, b"(K\x01\x91")
_item("b1_out_of_band_buffer", _REFUSED, b"\x97")
_item("b1_python2_string", _REFUSED, b"U\x01a")

_pickle("b1_early_payload_then_garbage", _REFUSED,
        b"\x80\x02" + _SYSTEM + b"(" + _TOUCH_TEXT + b"tR\xff\xff\xff")  # fmt: skip
_pickle("b1_early_payload_then_end", _REFUSED, b"\x80\x02" + _SYSTEM + b"(" + _TOUCH_TEXT + b"tR")
_pickle("b1_second_stream", _REFUSED, m.wrap_pickle(b"}") + b"\x80\x02" + _SYSTEM + b".")
_pickle("b1_one_byte_behind_the_end", _REFUSED, m.wrap_pickle(b"}") + b"\x00")
_add("b1_bare_pickle", "not_a_zip", lambda: m.wrap_pickle(b"}"))
_add("b1_bare_pickle_calling", "not_a_zip", lambda: _SYSTEM + b"(" + _TOUCH_TEXT + b"tR.")
_add("b1_bare_npy", "not_a_zip", lambda: _FLOATS)
_pickle("b1_empty_pickle", _DAMAGED, b"")
_pickle("b1_only_stop", _DAMAGED, b".")
_pickle("b1_protocol_9", _DAMAGED, b"\x80\x09N.")
_pickle("b1_second_protocol", _DAMAGED, b"\x80\x02N\x80\x02.")
_pickle("b1_unknown_opcode", _DAMAGED, b"\x80\x02\xff.")
_pickle("b1_two_values", _DAMAGED, b"NN.")
_pickle("b1_open_mark", _DAMAGED, b"(N.")
_pickle("b1_pop_below_mark", _DAMAGED, b"]N(a.")
_pickle("b1_tuple_without_mark", _DAMAGED, b"Nt.")
_pickle("b1_top_of_nothing", _DAMAGED, b"q\x00.")

_RECONSTRUCT = b"cnumpy._core.multiarray\n_reconstruct\n"
_SHELL = _RECONSTRUCT + b"cnumpy\nndarray\nK\x00\x85C\x01b\x87R"
_MINUS = b"J\xff\xff\xff\xff"


def _dtype(code: str, state: bytes | None = None) -> bytes:
    """Return the opcodes of an element type; `state` replaces the three Nones of a plain one."""
    order = b"|" if code[0] in "OS" else b"<"
    call = b"cnumpy\ndtype\n" + _text(code) + b"\x89\x88\x87R"
    middle = b"NNN" if state is None else state
    return call + b"(K\x03" + _text(order.decode()) + middle + _MINUS * 2 + b"K\x00tb"


def _array(shape: bytes, dtype: bytes, data: bytes) -> bytes:
    """Return the opcodes of an array from shape, type and data, each as opcodes."""
    return _SHELL + b"(K\x01" + shape + dtype + b"\x89" + data + b"tb"


_item("b1_state_data_too_short", "npy_size", _array(b"K\x02\x85", _dtype("f4"), b"C\x04abcd"))
_item("b1_state_data_too_long", "npy_size", _array(b"K\x02\x85", _dtype("f4"), b"C\x0cabcdefghijkl"))
_item("b1_state_huge_shape", "npy_size",
      _array(b"\x8a\x06\x00\x00\x00\x00\x00\x01\x85", _dtype("f8"), b"C\x04abcd"))  # fmt: skip
_item("b1_state_negative_shape", _DAMAGED, _array(_MINUS + b"\x85", _dtype("f4"), b"C\x00"))
_item("b1_state_float_shape", _DAMAGED,
      _array(b"G" + struct.pack(">d", 1) + b"\x85", _dtype("f4"), b"C\x04abcd"))  # fmt: skip
_item("b1_state_33_axes", _DAMAGED, _array(b"(" + b"K\x01" * 33 + b"t", _dtype("b1"), b"C\x01a"))
_item("b1_state_empty_but_beyond_memory", _DAMAGED,
      _array((b"\x8a\x08" + (1 << 61).to_bytes(8, "little")) * 2 + b"K\x00\x87", _dtype("f8"), b"C\x00"),
)  # fmt: skip
_item("b1_state_objects_as_bytes", _DAMAGED, _array(b"K\x01\x85", _dtype("O8"), b"C\x08abcdefgh"))
_item("b1_state_numbers_as_list", _DAMAGED, _array(b"K\x01\x85", _dtype("f4"), b"]"))
_item("b1_state_list_too_short", "npy_size", _array(b"K\x02\x85", _dtype("O8"), b"](Ne"))
_item("b1_state_list_too_long", "npy_size", _array(b"K\x01\x85", _dtype("O8"), b"](NNe"))
_item("b1_state_void", "npy_dtype", _array(b"K\x01\x85", _dtype("V8"), b"C\x08abcdefgh"))
_item("b1_state_fields", "npy_dtype",
      _array(b"K\x01\x85", _dtype("f4", b"N" + _text("a") + b"\x85}"), b"C\x04abcd"))  # fmt: skip
_item("b1_state_subarray", "npy_dtype",
      _array(b"K\x01\x85", _dtype("f4", _dtype("f4") + b"K\x09\x85\x86NN"), b"C\x04abcd"))  # fmt: skip
_item("b1_state_type_unfinished", _DAMAGED,
      _array(b"K\x01\x85", b"cnumpy\ndtype\n" + _text("f4") + b"\x89\x88\x87R", b"C\x04abcd"))  # fmt: skip
_item("b1_state_type_twice", _DAMAGED,
      _array(b"K\x01\x85", _dtype("f4") + b"(K\x03" + _text(">") + b"NNN" + _MINUS * 2 + b"K\x00tb",
             b"C\x04abcd"))  # fmt: skip
_item("b1_state_twice", _DAMAGED,
      _array(b"K\x01\x85", _dtype("f4"), b"C\x04abcd"), b"(K\x01K\x01\x85", _dtype("f4"),
      b"\x89C\x04abcdtb")  # fmt: skip
_item("b1_state_old_version", _DAMAGED, _SHELL, b"(K\x00K\x01\x85", _dtype("f4"), b"\x89C\x04abcdtb")
_item("b1_state_four_parts", _DAMAGED, _SHELL, b"(K\x01\x85", _dtype("f4"), b"\x89C\x04abcdtb")
_item("b1_state_wide_text_lies", "npy_size", _array(b"K\x02\x85", _dtype("U9"), b"C\x04abcd"))
_item("b1_state_text_beyond_unicode", "npy_text",
      _array(b"K\x01\x85", _dtype("U1"), b"C\x04\xff\xff\xff\x7f"))  # fmt: skip
_item("b1_reconstruct_other_class", _REFUSED, _RECONSTRUCT, b"cnumpy\ndtype\nK\x00\x85C\x01b\x87R")
_item("b1_reconstruct_with_shape", _DAMAGED, _RECONSTRUCT, b"cnumpy\nndarray\nK\x09\x85C\x01b\x87R")
_item("b1_reconstruct_other_kind", _DAMAGED, _RECONSTRUCT, b"cnumpy\nndarray\nK\x00\x85C\x01O\x87R")
_SCALAR = b"cnumpy._core.multiarray\nscalar\n"
_item("b1_scalar_too_short", "npy_size", _SCALAR, _dtype("f8"), b"C\x04abcd\x86R")
_item("b1_scalar_of_object", _DAMAGED, _SCALAR, _dtype("O8"), b"C\x08abcdefgh\x86R")
_item("b1_scalar_without_data", _DAMAGED, _SCALAR, _dtype("f8"), b"\x85R")
_item("b1_scalar_text_beyond_unicode", "npy_text", _SCALAR, _dtype("U1"), b"C\x04\xff\xff\xff\x7f\x86R")
_BUFFER = b"cnumpy._core.numeric\n_frombuffer\n("
_item("b1_frombuffer_too_short", "npy_size", _BUFFER, b"C\x04abcd", _dtype("f8"), b"K\x01\x85",
      _text("C"), b"tR")  # fmt: skip
_item("b1_frombuffer_of_objects", _DAMAGED, _BUFFER, b"C\x08abcdefgh", _dtype("O8"), b"K\x01\x85",
      _text("C"), b"tR")  # fmt: skip
_item("b1_frombuffer_other_order", _DAMAGED, _BUFFER, b"C\x08abcdefgh", _dtype("f8"), b"K\x01\x85",
      _text("K"), b"tR")  # fmt: skip

_item("b1_memo_index_huge", _DAMAGED, b"Nr\xff\xff\xff\x7f")
_item("b1_memo_index_text_huge", _DAMAGED, b"Np99999999999999999999\n")
_item("b1_memo_index_negative", _DAMAGED, b"Np-1\n")
_item("b1_memo_absent", _DAMAGED, b"h\xee")
_item("b1_length_frame", _DAMAGED, b"\x95" + struct.pack("<Q", 1 << 62) + b"N")
_item("b1_length_text_4", _DAMAGED, b"X\xff\xff\xff\xff")
_item("b1_length_text_8", _DAMAGED, b"\x8d" + struct.pack("<Q", 1 << 63))
_item("b1_length_bytes_4", _DAMAGED, b"B\xff\xff\xff\xff")
_item("b1_length_bytes_8", _DAMAGED, b"\x8e" + struct.pack("<Q", 1 << 40))
_item("b1_length_bytearray_8", _DAMAGED, b"\x96" + struct.pack("<Q", 1 << 40))
_item("b1_length_line_without_end", _DAMAGED, b"I123")
_item("b1_depth_101", _LIMIT, b"]" * 101 + b"a" * 100)
_item("b1_depth_tuples", _LIMIT, b")" + b"\x85" * 200)
_item("b1_depth_100_000", _LIMIT, b"]" * 100_000 + b"a" * 99_999)
_item("b1_depth_shared_at_two_depths", _LIMIT, b"](" + b"]" * 60 + b"a" * 59, b"q\x50",
      b"]" * 60 + b"h\x50" + b"a" * 60 + b"e")  # fmt: skip
_TWOFOLD = [b"(h%ch%ctq%c" % (0x60 + i, 0x60 + i, 0x61 + i) for i in range(60)]
_LAUGHS = b"(" + b"".join(_TWOFOLD) + b"t"
"""A tuple of tuples, each holding the one before it twice: 2^60 values when written out."""

_item("b1_shared_explodes", _LIMIT, b"()q\x60" + _LAUGHS + b"t")
_item("b1_shared_text_explodes", _LIMIT, b"(" + _text("x" * 1_000_000) + b"q\x60" + _LAUGHS + b"t")
_item("b1_shared_explodes_as_dict_key", _REFUSED, b"}()q\x60" + _LAUGHS + b"tNs")
_item("b1_shared_explodes_as_name", _REFUSED, b"()q\x60" + _LAUGHS + b"t" + _text("x") + b"\x93")
_item("b1_shared_explodes_as_type", "npy_dtype",
      b"cnumpy\ndtype\n()q\x60" + _LAUGHS + b"t\x89\x88\x87R")  # fmt: skip
_item("b1_cycle_list", _LIMIT, b"]q\x60h\x60a")
_item("b1_cycle_dict", _LIMIT, b"}q\x60", _text("a"), b"h\x60s")
_item("b1_cycle_through_array", _LIMIT,
      _SHELL + b"q\x60(K\x01K\x01\x85" + _dtype("O8") + b"\x89](h\x60etb")  # fmt: skip
_item("b1_integer_text", _DAMAGED, b"I" + b"9" * 5_000 + b"\n")
_item("b1_integer_4001_digits", _LIMIT, b"L" + b"9" * 4_001 + b"L\n")
_item("b1_integer_no_digits", _DAMAGED, b"Ix\n")
_item("b1_integer_binary", _LIMIT, b"\x8b" + struct.pack("<L", 100_000) + b"\x7f" * 100_000)
_item("b1_integer_binary_just_over", _LIMIT, b"\x8b" + struct.pack("<L", 1662) + b"\x7f" * 1662)
_item("b1_float_text", _DAMAGED, b"F__import__('os')\n")
_item("b1_text_not_utf8", _DAMAGED, b"X\x02\x00\x00\x00\xff\xfe")
_item("b1_text_bad_escape", _DAMAGED, b"V\\u12\n")
_item("b1_keys_collide", _REFUSED, b"}", _text("a"), b"Ns", _text("a"), b"Ns")
_item("b1_keys_are_numbers", _REFUSED, b"}K\x01Ns")
_item("b1_keys_are_odd", _REFUSED, b"}(", _text("a"), b"u")
_item("b1_opcodes_too_many", _LIMIT, b"]" + b"Na" * 600_000)
_item("b1_nodes_too_many", _LIMIT, b"](" + b"N" * 500_000 + b"e")
_item("b1_bytes_too_many", _LIMIT, b"B" + struct.pack("<L", 33 << 20) + bytes(33 << 20))
_item("b1_encode_rot13", _REFUSED, b"c_codecs\nencode\n", _text("a"), _text("rot13"), b"\x86R")
_item("b1_encode_idna", _REFUSED, b"c_codecs\nencode\n", _text("a"), _text("idna"), b"\x86R")
_item("b1_encode_not_latin1", _DAMAGED, b"c_codecs\nencode\n", _text("\u20ac"), _text("latin1"), b"\x86R")
_item("b1_encode_bytes", _DAMAGED, b"c_codecs\nencode\nC\x01a", _text("latin1"), b"\x86R")
_item("b1_bytes_with_arguments", _REFUSED, b"cbuiltins\nbytes\nJ\x00\x00\x00\x7f\x85R")
_item("b1_time_unit_unknown", "npy_dtype", _SCALAR, b"cnumpy\ndtype\n", _text("M8"), b"\x89\x88\x87R",
      b"(K\x04", _text("<"), b"NNN", _MINUS * 2, b"K\x00N(C\x03fooK\x01K\x01K\x01t\x86tb",
      b"C\x08abcdefgh\x86R")  # fmt: skip
_item("b1_time_unit_missing", _DAMAGED, _SCALAR, _dtype("M8"), b"C\x08abcdefgh\x86R")

_pickle("b1_shape_disagrees", "npy_shape", m.wrap_pickle(b"}"), (1,))
_pickle("b1_shape_disagrees_by_axis", "npy_shape", m.wrap_pickle(b"}"), (1, 1))
_pickle("b1_member_is_no_array", _REFUSED, b"\x80\x02}.")
_pickle("b1_member_is_plain_array", _REFUSED,
        b"\x80\x02" + _array(b")", _dtype("f4"), b"C\x04abcd") + b".")  # fmt: skip
_item("b1_meta_is_list", "meta_invalid", b"]")
_item("b1_meta_is_none", "meta_invalid", b"N")
_add("b1_meta_is_text", "meta_invalid", lambda: m.make_npz({"meta": m.make_npy(np.array("{}"))}))
_add("b1_meta_is_row", "meta_invalid", lambda: m.make_npz({"meta": m.make_npy(np.array([{}]))}))
_add("b1_meta_is_missing", "meta_missing", lambda: m.make_npz({"a": _FLOATS}))
_add("b1_meta_of_nothing", "meta_missing", lambda: m.make_zip())


def _json(name: str, text: str) -> None:
    """Add a case with a good `meta` and a bad `meta_json`."""
    _add(name, "meta_invalid", lambda: _with_json(m.make_npy(np.array(text))))


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
_add("b1_json_is_object", "meta_invalid", lambda: _with_json(m.make_npy(np.array("{}", object))))
_add("b1_json_is_row", "meta_invalid", lambda: _with_json(m.make_npy(np.array(["{}"]))))
_add("b1_json_is_bytes", "meta_invalid", lambda: _with_json(m.make_npy(np.array(b"{}"))))
_add("b1_json_no_unicode", "meta_invalid", lambda: _with_json(
    m.make_npy(np.array([0x7B, 0x110000], "<u4").view("<U2").reshape(()))))  # fmt: skip
_add("b1_json_too_long", _LIMIT, lambda: m.make_npz(
    {"meta_json": m.make_npy(np.array(" " * ((4 << 20) + 1)))}, method=m.DEFLATED))  # fmt: skip

# --- B2: array headers ------------------------------------------------------------------------


def _header(name: str, code: str, header: str | bytes, body: bytes = b"", major: int = 1) -> None:
    """Add a case whose one array has this header."""
    _add(name, code, lambda: m.make_npz({"a": m.make_raw_npy(header, body, major=major)}))


def _descr(name: str, descr: str, body: bytes = bytes(8), code: str = "npy_dtype") -> None:
    _header(name, code, f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}\n", body)


def _shape(name: str, shape: str, body: bytes = bytes(4), code: str = "npy_shape") -> None:
    _header(name, code, f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n", body)


for _name, _descriptor in {
    "void": "'|V8'", "alias": "'f4'", "alias_long": "'float32'", "native": "'=f4'", "comma": "'<f4,<i4'",
    "subarray": "'(2,)<f4'", "unknown_width": "'<f3'", "empty_text": "'<U0'", "empty_bytes": "'|S0'",
    "padded_width": "'|S08'", "time_unit": "'<M8[foo]'", "time_event": "'<M8[s]//4'",
    "orderless": "'|f4'", "object_alias": "'|O8'", "long_text": "'<U999999999'", "python2": "'<a4'",
}.items():  # fmt: skip
    _descr(f"b2_dtype_{_name}", _descriptor)
_descr("b2_dtype_structured", "[('a', '<f4'), ('b', '<f4')]", code="npy_header")
_descr("b2_dtype_titled", "[(('t', 'a'), '<f4')]", code="npy_header")
_descr("b2_dtype_call", f"__import__('os').system('touch {MARKER}')", code="npy_header")

for _name, _axes in {
    "number": "(1)", "leading_zero": "(01,)", "huge_dims": "(0, 999999999999999999, 99)",
    "product_overflow": "(4294967296, 4294967296, 4294967296)", "33_axes": f"({'1,' * 33})",
    "many_digits": f"({'9' * 30},)", "empty_axis": "(1,,1)", "two_commas": "(1,,)", "spaced": "(1 1,)",
}.items():  # fmt: skip
    _shape(f"b2_shape_{_name}", _axes)
for _name, _axes in {
    "negative": "(-1,)", "float": "(1.0,)", "true": "(True,)", "list": "[1]", "nested": "((1,),)",
    "exponent": "(1e0,)", "operator": "(2**0,)", "hexadecimal": "(0x1,)", "underscore": "(1_0,)",
    "none": "None", "python2_long": "(1L,)", "arabic_digit": "(\\u0661,)", "call": f"(open({MARKER!r}, 'w'),)",
}.items():  # fmt: skip
    _shape(f"b2_shape_{_name}", _axes, code="npy_header")
_shape("b2_size_short", "(2,)", bytes(7), "npy_size")
_shape("b2_size_trailing", "(2,)", bytes(9), "npy_size")
_shape("b2_size_huge", "(1000000000,)", bytes(4), "npy_size")
_shape("b2_size_of_empty", "(0,)", bytes(4), "npy_size")

_GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }"
for _name, _header_text in {
    "empty": "", "empty_dict": "{}", "missing_key": "{'descr': '<f4', 'shape': (1,), }",
    "extra_key": _GOOD[:-1] + "'x': 1}", "twice": _GOOD[:-1] + "'descr': '<f8'}",
    "number_for_flag": _GOOD.replace("False", "0"), "nesting": "(" * 9_000 + ")" * 900,
    "nested_lists": "[" * 9_900, "operators": _GOOD.replace("(1,)", "-" * 5_000 + "1"),
    "lambda": "(lambda: {})()", "comment": _GOOD + "#", "two": _GOOD + _GOOD,
    "bytes_keys": _GOOD.replace("'descr'", "b'descr'"), "joined": _GOOD.replace("'<f4'", "'<' 'f4'"),
    "mixed_quotes": _GOOD.replace("'descr'", "'descr\""), "list": "['descr']",
    "not_ascii": _GOOD.replace("f4", "f\xb2"), "no_brace": _GOOD[1:], "unclosed": _GOOD[:-1],
}.items():  # fmt: skip
    _header(f"b2_header_{_name}", "npy_header", _header_text, bytes(4))
_header("b2_header_version_4", "npy_header", _GOOD, bytes(4), 4)
_header("b2_header_version_0", "npy_header", _GOOD, bytes(4), 0)
_header("b2_header_too_long", _LIMIT, _GOOD + " " * 10_000, bytes(4))
_header("b2_header_too_long_2", _LIMIT, _GOOD + " " * 100_000, bytes(4), 2)
for _name, _bytes in {
    "nothing": b"", "zeros": bytes(200), "magic": b"\x93NUMPY\x01", "cut_length": b"\x93NUMPY\x01\x00\x76",
    "cut_text": _FLOATS[:60], "lying_length": b"\x93NUMPY\x02\x00\x10\x27\x00\x00{",
    "nested_zip": m.make_npz({"a": _FLOATS}), "text": b"hello, world, this is no array at all",
}.items():  # fmt: skip
    _add(f"b2_member_{_name}", "npy_header", lambda content=_bytes: m.make_npz({"a": content}))
    _add(f"b2_member_{_name}_deflated", "npy_header",
         lambda content=_bytes: m.make_npz({"a": content}, method=m.DEFLATED))  # fmt: skip

# --- B3: containers ---------------------------------------------------------------------------

_A = m.Entry(b"a.npy", _FLOATS)
_B = m.Entry(b"b.npy", m.make_npy(np.arange(3)))
_ARCHIVE = m.make_zip(_A, _B)
_DISAGREEMENT = "zip_disagreement"
_LAYOUT = "zip_layout"
_END = "zip_end_record"


def _zip(name: str, code: str, *entries: m.Entry, **settings: object) -> None:
    _add(name, code, lambda: m.make_zip(*entries, **settings))  # type: ignore[arg-type]


def _bytes_case(name: str, code: str, data: bytes) -> None:
    _add(name, code, lambda: data)


_bytes_case("b3_end_prefix", _LAYOUT, b"#!/bin/sh\n" + _ARCHIVE)
_bytes_case("b3_end_pdf_in_front", _LAYOUT, b"%PDF-1.7\n" + bytes(500) + _ARCHIVE)
_bytes_case("b3_end_suffix", _END, _ARCHIVE + b"\0")
_bytes_case("b3_end_second_archive", _LAYOUT, _ARCHIVE + _ARCHIVE)
_bytes_case("b3_end_other_archive_appended", _LAYOUT, _ARCHIVE + m.make_zip(_B))
_bytes_case("b3_end_comment", _END, _ARCHIVE[:-2] + b"\x05\x00hello")
_bytes_case("b3_end_archive_in_comment", _LAYOUT,
            _ARCHIVE[:-2] + struct.pack("<H", len(m.make_zip(_B))) + m.make_zip(_B))  # fmt: skip
_zip("b3_end_comment_missing", _END, _A, end={"comment": 5})
_zip("b3_end_count_too_low", "zip_directory", _A, _B, end={"here": 1, "count": 1})
_zip("b3_end_count_too_high", "zip_directory", _A, _B, end={"here": 3, "count": 3})
_zip("b3_end_counts_differ", _END, _A, _B, end={"here": 1})
_zip("b3_end_disks", _END, _A, end={"disk": 1})
_zip("b3_end_first_disk", _END, _A, end={"first_disk": 1})
_zip("b3_end_offset_lies", _LAYOUT, _A, end={"offset": 4})
_zip("b3_end_size_lies", _LAYOUT, _A, end={"size": 4})
_zip("b3_end_gap_in_front_of_it", _LAYOUT, _A, between=b"x")
_zip("b3_end_directory_starts_later", "zip_directory", _A, _B, end={
    "offset": 0, "size": len(_ARCHIVE) - 22})  # fmt: skip
_zip("b3_end_full_without_zip64", _LAYOUT, _A, end={"offset": 0xFFFFFFFF})
_bytes_case("b3_end_cut", "truncated", _ARCHIVE[:-5])
_bytes_case("b3_end_cut_in_member", "truncated", _ARCHIVE[:90])
_bytes_case("b3_end_empty_file", "not_a_zip", b"")
_bytes_case("b3_end_zero_filled", "not_a_zip", bytes(len(_ARCHIVE)))
_bytes_case("b3_end_other_format", "not_a_zip", b"\x1f\x8b\x08" + bytes(500))
_zip("b3_end_too_many_members", _LIMIT, end={"here": 5_000, "count": 5_000})
_add("b3_end_too_many_real_members", _LIMIT, lambda: m.make_zip(
    *[m.Entry(b"%d.npy" % i, b"") for i in range(4_097)]))  # fmt: skip
_add("b3_end_directory_too_large", _LIMIT, lambda: m.make_zip(
    *[m.Entry(b"%d.npy" % i, b"", comment=bytes(65_535)) for i in range(70)]))  # fmt: skip


def _zip64(**lies: int) -> bytes:
    """Return an archive with 64-bit end records, some of their fields lying."""
    body = _ARCHIVE[:-22]
    offset = len(m.make_zip(_A, _B, end={})) - 22 - _directory_size()
    said = {"length": 44, "disk": 0, "first_disk": 0, "here": 2, "count": 2,
            "size": _directory_size(), "offset": offset, "at": len(body), "disks": 1,
            "locator_disk": 0, "narrow_offset": 0xFFFFFFFF, "narrow_count": 0xFFFF, **lies}  # fmt: skip
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", said["length"], 45, 45, said["disk"],
                         said["first_disk"], said["here"], said["count"], said["size"],
                         said["offset"])  # fmt: skip
    locator = struct.pack("<4sLQL", b"PK\x06\x07", said["locator_disk"], said["at"], said["disks"])
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, said["narrow_count"], said["narrow_count"],
                      0xFFFFFFFF, said["narrow_offset"], 0)  # fmt: skip
    return body + record + locator + end


def _directory_size() -> int:
    return 2 * (46 + 5)


def make_zip64() -> bytes:
    """Return an honest archive of two arrays with 64-bit end records."""
    return _zip64()


for _name, _lies in {
    "locator": {"at": 0}, "locator_disk": {"locator_disk": 1}, "disks": {"disks": 2},
    "length": {"length": 100}, "narrow_count": {"narrow_count": 1}, "narrow_offset": {"narrow_offset": 7},
    "volumes": {"disk": 1},
}.items():  # fmt: skip
    _bytes_case(f"b3_zip64_{_name}", _END, _zip64(**_lies))
_bytes_case("b3_zip64_offset", _LAYOUT, _zip64(offset=1 << 40))
_bytes_case("b3_zip64_count", _LIMIT, _zip64(here=1 << 40, count=1 << 40))
_bytes_case("b3_zip64_locator_alone", _END, struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1) + _ARCHIVE[-22:])

_FULL = 0xFFFFFFFF


def _extra(*values: int, kind: int = 1) -> bytes:
    return struct.pack(f"<HH{len(values)}Q", kind, 8 * len(values), *values)


_zip("b3_zip64_sizes_beyond_the_file", _LAYOUT, _A.but(
    method=m.DEFLATED, central={"size": _FULL, "stored_size": _FULL},
    central_extra=_extra(1 << 60, 1 << 59)))  # fmt: skip
_zip("b3_zip64_stored_size_lies", _LAYOUT, _A.but(
    central={"size": _FULL, "stored_size": _FULL}, central_extra=_extra(1 << 33, 1 << 33)))  # fmt: skip
_zip("b3_zip64_too_many_values", "zip_extra", _A.but(central_extra=_extra(len(_FLOATS), len(_FLOATS))))
_zip("b3_zip64_twice", "zip_extra", _A.but(central={"size": _FULL}, central_extra=_extra(1) + _extra(2)))
_zip("b3_zip64_odd_length", "zip_extra", _A.but(central_extra=b"\x01\x00\x03\x00abc"))
_zip("b3_zip64_local_lies", _DISAGREEMENT, _A.but(
    local={"size": _FULL, "stored_size": _FULL}, local_extra=_extra(9, 9)))  # fmt: skip
_zip("b3_zip64_local_contradicts_itself", _DISAGREEMENT, _A.but(local_extra=_extra(9, 9)))
_zip("b3_zip64_local_one_value", "zip_extra", _A.but(local_extra=_extra(len(_FLOATS))))
_zip("b3_extra_cut_off", "zip_extra", _A.but(central_extra=b"\x07"))
_zip("b3_extra_too_long", "zip_extra", _A.but(local_extra=b"\x07\x00\x09\x00a"))

for _name, _lie in {
    "name": {"name": b"b.npy"}, "crc": {"crc": 1}, "size": {"size": 9}, "stored_size": {"stored_size": 9},
    "method": {"method": 8}, "flags": {"flags": 2}, "utf8": {"flags": 0x800},
}.items():  # fmt: skip
    _zip(f"b3_local_{_name}", _DISAGREEMENT, _A.but(local=_lie), _B)
_zip("b3_local_name_longer", _DISAGREEMENT, _A.but(local={"name": b"aa.npy"}))
_add("b3_local_signature", _DISAGREEMENT, lambda: _ARCHIVE.replace(b"PK\x03\x04", b"PK\x03\x05", 1))
_zip("b3_descriptor_missing", _LAYOUT, _A.but(flags=8), _B)
_zip("b3_descriptor_crc", _DISAGREEMENT, _A.but(
    flags=8, local={"crc": 0, "size": 0, "stored_size": 0},
    behind=struct.pack("<4s3L", b"PK\x07\x08", 1, len(_FLOATS), len(_FLOATS))))  # fmt: skip
_zip("b3_descriptor_signature", _DISAGREEMENT, _A.but(
    flags=8, behind=struct.pack("<4s3L", b"PK\x07\x09", 1, len(_FLOATS), len(_FLOATS))))  # fmt: skip
_zip("b3_descriptor_unannounced", _LAYOUT, _A.but(behind=bytes(16)), _B)
_zip("b3_descriptor_odd_length", _LAYOUT, _A.but(flags=8, behind=bytes(13)), _B)

_zip("b3_layout_gap", _LAYOUT, _A.but(behind=bytes(7)), _B)
_zip("b3_layout_wide_gap", _LAYOUT, _A.but(behind=bytes(70_000)), _B)
_zip("b3_layout_same_place", _LAYOUT, _A, _B.but(central={"offset": 0}))
_zip("b3_layout_overlap", _LAYOUT, _A, _B.but(central={"offset": 20}))
_zip("b3_layout_overlap_by_size", _LAYOUT,
     _A.but(central={"size": len(_FLOATS) + 60, "stored_size": len(_FLOATS) + 60}), _B)  # fmt: skip
_zip("b3_layout_beyond_the_end", _LAYOUT, _A, _B.but(central={"offset": 1 << 30}))
_zip("b3_layout_first_not_at_start", _LAYOUT, _A.but(central={"offset": 1}))
_zip("b3_layout_stored_sizes_differ", _LAYOUT, _A.but(central={"size": len(_FLOATS) + 1}))
_zip("b3_directory_comment", "zip_directory", _A.but(comment=b"hello"))
_zip("b3_directory_disk", "zip_directory", _A.but(central={"disk": 1}))
_add("b3_directory_signature", "zip_directory", lambda: _ARCHIVE.replace(b"PK\x01\x02", b"PK\x01\x03", 1))

_zip("b3_method_bzip2", "zip_method", _A.but(central={"method": 12}, local={"method": 12}))
_zip("b3_method_lzma", "zip_method", _A.but(central={"method": 14}, local={"method": 14}))
_zip("b3_method_aes", "zip_method", _A.but(central={"method": 99}, local={"method": 99}))
_zip("b3_method_new_version", "zip_method", _A.but(central={"version": 63}))
_zip("b3_method_patch", "zip_method", _A.but(flags=0x20))
_zip("b3_encrypted", "zip_encrypted", _A.but(flags=1))
_zip("b3_encrypted_strongly", "zip_encrypted", _A.but(flags=0x40))
_zip("b3_encrypted_directory", "zip_encrypted", _A.but(flags=0x2000))

for _name, _member in {
    "nul": b"a\0.npy", "traversal": b"../a.npy", "absolute": b"/a.npy", "drive": b"C:a.npy",
    "folder": b"a/b.npy", "backslash": b"a\\b.npy", "other_suffix": b"a.txt", "no_key": b".npy",
    "hidden": b".a.npy", "newline": b"a\n.npy", "not_ascii": b"\xe4.npy", "empty": b"", "star": b"*.npy",
    "long": b"a" * 300 + b".npy", "case_suffix": b"a.NPY", "folder_entry": b"a.npy/",
}.items():  # fmt: skip
    _zip(f"b3_name_{_name}", "zip_name", m.Entry(_member, _FLOATS))
_zip("b3_name_not_utf8", "zip_name", m.Entry(b"\xff.npy", _FLOATS, flags=0x800))
_zip("b3_name_control_in_utf8", "zip_name", m.Entry("a\u202e.npy".encode(), _FLOATS, flags=0x800))
_zip("b3_twins", "zip_duplicate", _A, _A)
_zip("b3_twins_by_case", "zip_duplicate", _A, m.Entry(b"A.npy", _FLOATS))
_zip("b3_twins_by_accent", "zip_duplicate", m.Entry("\u00e4.npy".encode(), _FLOATS, flags=0x800),
     m.Entry("a\u0308.npy".encode(), _FLOATS, flags=0x800))  # fmt: skip
_zip("b3_twins_by_fold", "zip_duplicate", m.Entry(b"ss.npy", _FLOATS),
     m.Entry("\u00df.npy".encode(), _FLOATS, flags=0x800))  # fmt: skip


def _zeros(size: int) -> bytes:
    """Return an array of zero bytes."""
    return m.make_raw_npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({size},), }}\n", bytes(size))


_DEFLATED = _A.but(method=m.DEFLATED)
_STREAM = m.deflate(_FLOATS)
_zip("b3_bomb_declared", _LIMIT, _DEFLATED.but(
    payload=bytes(1 << 20), central={"size": 1 << 29}, local={"size": 1 << 29}))  # fmt: skip
_add("b3_bomb_of_many", _LIMIT, lambda: m.make_zip(*[
    m.Entry(b"%d.npy" % i, b"", method=m.DEFLATED, payload=bytes(1 << 16),
            central={"size": 1 << 26}, local={"size": 1 << 26}) for i in range(9)]))  # fmt: skip
_zip("b3_bomb_beyond_deflate", _LAYOUT, _DEFLATED.but(central={"size": 1 << 20}, local={"size": 1 << 20}))
_add("b3_bomb_longer_than_declared", "inflate_failed", lambda: m.make_zip(_DEFLATED.but(
    payload=m.deflate(_FLOATS + bytes(1 << 24)))))  # fmt: skip
_add("b3_bomb_nested", "npy_header", lambda: m.make_zip(m.Entry(
    b"a.npy", m.make_zip(m.Entry(b"b.npy", _zeros(1 << 20), method=m.DEFLATED)), method=m.DEFLATED)))  # fmt: skip
_zip("b3_inflate_too_short", "inflate_failed", _DEFLATED.but(payload=m.deflate(_FLOATS[:-1])))
_zip("b3_inflate_junk_behind", "inflate_failed", _DEFLATED.but(payload=_STREAM + b"xx"))
_zip("b3_inflate_cut", "inflate_failed", _DEFLATED.but(payload=_STREAM[:-9]))
_zip("b3_inflate_damaged", "inflate_failed", _DEFLATED.but(payload=b"\xff" * len(_STREAM)))
_zip("b3_inflate_nothing", "npy_header", _DEFLATED.but(
    payload=b"", central={"size": 0}, local={"size": 0}))  # fmt: skip
_zip("b3_crc_wrong", "crc_mismatch", _A.but(local={"crc": 1}, central={"crc": 1}))
_zip("b3_crc_wrong_deflated", "crc_mismatch", _DEFLATED.but(local={"crc": 1}, central={"crc": 1}))
