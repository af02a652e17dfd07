"""Hostile object members, `meta` among them (threats B1)."""

from __future__ import annotations

import struct

from filmcan.testing import made_npz as m
from filmcan.testing.hostile_case import FLOATS, MARKER, Corpus
from filmcan.testing.made_pickle import (
    FROM_BUFFER,
    MINUS,
    RECONSTRUCT,
    SCALAR,
    SHELL,
    put_array,
    put_dtype,
    put_text,
)

CASES = Corpus()

_TOUCH = f"touch {MARKER}".encode()
_SYSTEM = b"cos\nsystem\n"
_TOUCH_TEXT = b"X" + struct.pack("<L", len(_TOUCH)) + _TOUCH
# --- B1: pickles ------------------------------------------------------------------------------

_REFUSED = "pickle_refused"
_DAMAGED = "pickle_damaged"
_LIMIT = "limit_exceeded"


def _item(name: str, code: str, *opcodes: bytes) -> None:
    """Add a case whose `meta` is a 0-d object array with one item made by some opcodes."""
    CASES.add(name, code, lambda: m.make_meta_npz(m.wrap_pickle(b"".join(opcodes))))


def _pickle(name: str, code: str, pickled: bytes, shape: tuple[int, ...] = ()) -> None:
    """Add a case whose `meta` holds a whole pickle."""
    CASES.add(name, code, lambda: m.make_meta_npz(pickled, shape))


_item("b1_call_reduce_os_system", _REFUSED, _SYSTEM, b"(", _TOUCH_TEXT, b"tR")
_item(
    "b1_call_reduce_eval", _REFUSED, b"cbuiltins\neval\n(", put_text(f"open({MARKER!r},'w')"), b"tR"
)
_item("b1_call_reduce_of_text", _REFUSED, put_text("system"), b"(", _TOUCH_TEXT, b"tR")
_item(
    "b1_call_reduce_of_list_arguments", _REFUSED, b"cnumpy\ndtype\n", b"](", put_text("f4"), b"eR"
)
_item("b1_call_ndarray_itself", _REFUSED, b"cnumpy\nndarray\n(K\x02\x85tR")
_item("b1_call_inst", _REFUSED, b"(", _TOUCH_TEXT, b"ios\nsystem\n")
_item("b1_call_obj", _REFUSED, b"(", _SYSTEM, _TOUCH_TEXT, b"o")
_item("b1_call_newobj", _REFUSED, b"csubprocess\nPopen\n(", _TOUCH_TEXT, b"t\x81")
_item("b1_call_newobj_of_known_name", _REFUSED, b"cnumpy\nndarray\n(K\x02t\x81")
_item("b1_call_newobj_ex", _REFUSED, b"cnumpy\nndarray\n)}\x92")
_item("b1_name_global_posix", _REFUSED, b"cposix\nsystem\n")
_item("b1_name_stack_global", _REFUSED, put_text("os"), put_text("system"), b"\x93")
_item("b1_name_stack_global_of_number", _REFUSED, b"K\x01", put_text("system"), b"\x93")
_item("b1_name_stack_global_of_list", _REFUSED, b"]", put_text("system"), b"\x93")
_item("b1_name_memoised", _REFUSED, put_text("os"), b"q\x50h\x50", put_text("system"), b"\x93")
_item(
    "b1_name_overwritten_in_memo", _DAMAGED, put_text("numpy"), b"q\x50", put_text("os"), b"q\x50"
)
_item("b1_name_dotted", _REFUSED, put_text("numpy"), put_text("ndarray.tofile"), b"\x93")
_item("b1_name_dotted_module", _REFUSED, b"cnumpy.core.multiarray.os\nsystem\n")
_item("b1_name_python2_builtin", _REFUSED, b"c__builtin__\neval\n")
_item("b1_name_python2_copy_reg", _REFUSED, b"ccopy_reg\n_reconstructor\n")
_item("b1_name_numpy_memmap", _REFUSED, b"cnumpy\nmemmap\n(", put_text(MARKER), b"tR")
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
_item("b1_persistent_binary", _REFUSED, put_text("filmcan"), b"Q")
_item("b1_side_import_antigravity", _REFUSED, b"cantigravity\nfly\n")
_item("b1_side_import_this", _REFUSED, b"cthis\ns\n")
_item("b1_side_build_on_dict", _REFUSED, b"}}", put_text("a"), b"K\x01sb")
_item("b1_side_build_on_symbol", _REFUSED, b"cnumpy\nndarray\n}", put_text("__init__"), b"Nsb")
_item("b1_side_build_on_list", _REFUSED, b"]}b")
_item("b1_side_symbol_as_value", _REFUSED, b"cnumpy\nndarray\n")
_item("b1_side_type_as_value", _REFUSED, b"cnumpy\ndtype\n(", put_text("f4"), b"\x89\x88tR")
_item("b1_side_bytearray_as_value", _REFUSED, b"\x96" + struct.pack("<Q", 1) + b"x")
_item(
    "b1_side_array_without_state",
    _REFUSED,
    b"cnumpy._core.multiarray\n_reconstruct\n",
    b"cnumpy\nndarray\nK\x00\x85C\x01b\x87R",
)
_item(
    "b1_side_append_to_array",
    _REFUSED,
    b"cnumpy._core.multiarray\n_reconstruct\n",
    b"cnumpy\nndarray\nK\x00\x85C\x01b\x87RNa",
)
_item("b1_side_set_item_of_list", _REFUSED, b"]", put_text("a"), b"Ns")
_item("b1_set", _REFUSED, b"\x8f(K\x01\x90")
_item("b1_frozenset", _REFUSED, b"(K\x01\x91")
_item("b1_out_of_band_buffer", _REFUSED, b"\x97")
_item("b1_python2_string", _REFUSED, b"U\x01a")

_pickle(
    "b1_early_payload_then_garbage",
    _REFUSED,
    b"\x80\x02" + _SYSTEM + b"(" + _TOUCH_TEXT + b"tR\xff\xff\xff",
)
_pickle("b1_early_payload_then_end", _REFUSED, b"\x80\x02" + _SYSTEM + b"(" + _TOUCH_TEXT + b"tR")
_pickle("b1_second_stream", _REFUSED, m.wrap_pickle(b"}") + b"\x80\x02" + _SYSTEM + b".")
_pickle("b1_one_byte_behind_the_end", _REFUSED, m.wrap_pickle(b"}") + b"\x00")
CASES.add("b1_bare_pickle", "not_a_zip", lambda: m.wrap_pickle(b"}"))
CASES.add("b1_bare_pickle_calling", "not_a_zip", lambda: _SYSTEM + b"(" + _TOUCH_TEXT + b"tR.")
CASES.add("b1_bare_npy", "not_a_zip", lambda: FLOATS)
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

_item("b1_state_data_too_short", "npy_size", put_array(b"K\x02\x85", put_dtype("f4"), b"C\x04abcd"))
_item(
    "b1_state_data_too_long",
    "npy_size",
    put_array(b"K\x02\x85", put_dtype("f4"), b"C\x0cabcdefghijkl"),
)
_item(
    "b1_state_huge_shape",
    "npy_size",
    put_array(b"\x8a\x06\x00\x00\x00\x00\x00\x01\x85", put_dtype("f8"), b"C\x04abcd"),
)
_item("b1_state_negative_shape", _DAMAGED, put_array(MINUS + b"\x85", put_dtype("f4"), b"C\x00"))
_item(
    "b1_state_float_shape",
    _DAMAGED,
    put_array(b"G" + struct.pack(">d", 1) + b"\x85", put_dtype("f4"), b"C\x04abcd"),
)
_item(
    "b1_state_33_axes", _DAMAGED, put_array(b"(" + b"K\x01" * 33 + b"t", put_dtype("b1"), b"C\x01a")
)
_item(
    "b1_state_empty_but_beyond_memory",
    _DAMAGED,
    put_array(
        (b"\x8a\x08" + (1 << 61).to_bytes(8, "little")) * 2 + b"K\x00\x87",
        put_dtype("f8"),
        b"C\x00",
    ),
)
_item(
    "b1_state_objects_as_bytes",
    _DAMAGED,
    put_array(b"K\x01\x85", put_dtype("O8"), b"C\x08abcdefgh"),
)
_item("b1_state_numbers_as_list", _DAMAGED, put_array(b"K\x01\x85", put_dtype("f4"), b"]"))
_item("b1_state_list_too_short", "npy_size", put_array(b"K\x02\x85", put_dtype("O8"), b"](Ne"))
_item("b1_state_list_too_long", "npy_size", put_array(b"K\x01\x85", put_dtype("O8"), b"](NNe"))
_item("b1_state_void", "npy_dtype", put_array(b"K\x01\x85", put_dtype("V8"), b"C\x08abcdefgh"))
_item(
    "b1_state_fields",
    "npy_dtype",
    put_array(b"K\x01\x85", put_dtype("f4", b"N" + put_text("a") + b"\x85}"), b"C\x04abcd"),
)
_item(
    "b1_state_subarray",
    "npy_dtype",
    put_array(b"K\x01\x85", put_dtype("f4", put_dtype("f4") + b"K\x09\x85\x86NN"), b"C\x04abcd"),
)
_item(
    "b1_state_type_unfinished",
    _DAMAGED,
    put_array(b"K\x01\x85", b"cnumpy\ndtype\n" + put_text("f4") + b"\x89\x88\x87R", b"C\x04abcd"),
)
_item(
    "b1_state_type_twice",
    _DAMAGED,
    put_array(
        b"K\x01\x85",
        put_dtype("f4") + b"(K\x03" + put_text(">") + b"NNN" + MINUS * 2 + b"K\x00tb",
        b"C\x04abcd",
    ),
)
_item(
    "b1_state_twice",
    _DAMAGED,
    put_array(b"K\x01\x85", put_dtype("f4"), b"C\x04abcd"),
    b"(K\x01K\x01\x85",
    put_dtype("f4"),
    b"\x89C\x04abcdtb",
)
_item(
    "b1_state_old_version",
    _DAMAGED,
    SHELL,
    b"(K\x00K\x01\x85",
    put_dtype("f4"),
    b"\x89C\x04abcdtb",
)
_item("b1_state_four_parts", _DAMAGED, SHELL, b"(K\x01\x85", put_dtype("f4"), b"\x89C\x04abcdtb")
_item("b1_state_wide_text_lies", "npy_size", put_array(b"K\x02\x85", put_dtype("U9"), b"C\x04abcd"))
_item(
    "b1_state_text_beyond_unicode",
    "npy_text",
    put_array(b"K\x01\x85", put_dtype("U1"), b"C\x04\xff\xff\xff\x7f"),
)
_item("b1_reconstruct_other_class", _REFUSED, RECONSTRUCT, b"cnumpy\ndtype\nK\x00\x85C\x01b\x87R")
_item("b1_reconstruct_with_shape", _DAMAGED, RECONSTRUCT, b"cnumpy\nndarray\nK\x09\x85C\x01b\x87R")
_item("b1_reconstruct_other_kind", _DAMAGED, RECONSTRUCT, b"cnumpy\nndarray\nK\x00\x85C\x01O\x87R")
_item("b1_scalar_too_short", "npy_size", SCALAR, put_dtype("f8"), b"C\x04abcd\x86R")
_item("b1_scalar_of_object", _DAMAGED, SCALAR, put_dtype("O8"), b"C\x08abcdefgh\x86R")
_item("b1_scalar_without_data", _DAMAGED, SCALAR, put_dtype("f8"), b"\x85R")
_item(
    "b1_scalar_text_beyond_unicode",
    "npy_text",
    SCALAR,
    put_dtype("U1"),
    b"C\x04\xff\xff\xff\x7f\x86R",
)
_item(
    "b1_frombuffer_too_short",
    "npy_size",
    FROM_BUFFER,
    b"C\x04abcd",
    put_dtype("f8"),
    b"K\x01\x85",
    put_text("C"),
    b"tR",
)
_item(
    "b1_frombuffer_of_objects",
    _DAMAGED,
    FROM_BUFFER,
    b"C\x08abcdefgh",
    put_dtype("O8"),
    b"K\x01\x85",
    put_text("C"),
    b"tR",
)
_item(
    "b1_frombuffer_other_order",
    _DAMAGED,
    FROM_BUFFER,
    b"C\x08abcdefgh",
    put_dtype("f8"),
    b"K\x01\x85",
    put_text("K"),
    b"tR",
)

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
_item(
    "b1_depth_shared_at_two_depths",
    _LIMIT,
    b"](" + b"]" * 60 + b"a" * 59,
    b"q\x50",
    b"]" * 60 + b"h\x50" + b"a" * 60 + b"e",
)
_TWOFOLD = [b"(h%ch%ctq%c" % (0x60 + i, 0x60 + i, 0x61 + i) for i in range(60)]
_LAUGHS = b"(" + b"".join(_TWOFOLD) + b"t"
"""A tuple of tuples, each holding the one before it twice: 2^60 values when written out."""

_item("b1_shared_explodes", _LIMIT, b"()q\x60" + _LAUGHS + b"t")
_item(
    "b1_shared_text_explodes", _LIMIT, b"(" + put_text("x" * 1_000_000) + b"q\x60" + _LAUGHS + b"t"
)
_item("b1_shared_explodes_as_dict_key", _REFUSED, b"}()q\x60" + _LAUGHS + b"tNs")
_item("b1_shared_explodes_as_name", _REFUSED, b"()q\x60" + _LAUGHS + b"t" + put_text("x") + b"\x93")
_item(
    "b1_shared_explodes_as_type",
    "npy_dtype",
    b"cnumpy\ndtype\n()q\x60" + _LAUGHS + b"t\x89\x88\x87R",
)
_item("b1_cycle_list", _LIMIT, b"]q\x60h\x60a")
_item("b1_cycle_dict", _LIMIT, b"}q\x60", put_text("a"), b"h\x60s")
_item(
    "b1_cycle_through_array",
    _LIMIT,
    SHELL + b"q\x60(K\x01K\x01\x85" + put_dtype("O8") + b"\x89](h\x60etb",
)
_item("b1_integer_text", _DAMAGED, b"I" + b"9" * 5_000 + b"\n")
_item("b1_integer_4001_digits", _LIMIT, b"L" + b"9" * 4_001 + b"L\n")
_item("b1_integer_no_digits", _DAMAGED, b"Ix\n")
_item("b1_integer_binary", _LIMIT, b"\x8b" + struct.pack("<L", 100_000) + b"\x7f" * 100_000)
_item("b1_integer_binary_just_over", _LIMIT, b"\x8b" + struct.pack("<L", 1662) + b"\x7f" * 1662)
_item("b1_float_text", _DAMAGED, b"F__import__('os')\n")
_item("b1_text_not_utf8", _DAMAGED, b"X\x02\x00\x00\x00\xff\xfe")
_item("b1_text_bad_escape", _DAMAGED, b"V\\u12\n")
_item("b1_keys_collide", _REFUSED, b"}", put_text("a"), b"Ns", put_text("a"), b"Ns")
_item("b1_keys_are_numbers", _REFUSED, b"}K\x01Ns")
_item("b1_keys_are_odd", _REFUSED, b"}(", put_text("a"), b"u")
_item("b1_opcodes_too_many", _LIMIT, b"]" + b"Na" * 600_000)
_item("b1_nodes_too_many", _LIMIT, b"](" + b"N" * 500_000 + b"e")
_item("b1_bytes_too_many", _LIMIT, b"B" + struct.pack("<L", 33 << 20) + bytes(33 << 20))
_COPIED_TEXT = put_text("x" * 1_000_000) + b"q\x61" + put_text("latin1") + b"\x86q\x62"
_item(
    "b1_encode_copies",
    _LIMIT,
    b"](c_codecs\nencode\nq\x60" + _COPIED_TEXT + b"R" + b"h\x60h\x62R" * 1_000 + b"e",
)
_item(
    "b1_scalar_copies",
    _LIMIT,
    b"](" + SCALAR + b"q\x60" + put_dtype("S1000000"),
    b"B" + struct.pack("<L", 1_000_000) + bytes(1_000_000) + b"\x86q\x61R",
    b"h\x60h\x61R" * 1_000 + b"e",
)
_item(
    "b1_encode_rot13", _REFUSED, b"c_codecs\nencode\n", put_text("a"), put_text("rot13"), b"\x86R"
)
_item("b1_encode_idna", _REFUSED, b"c_codecs\nencode\n", put_text("a"), put_text("idna"), b"\x86R")
_item(
    "b1_encode_not_latin1",
    _DAMAGED,
    b"c_codecs\nencode\n",
    put_text("\u20ac"),
    put_text("latin1"),
    b"\x86R",
)
_item("b1_encode_bytes", _DAMAGED, b"c_codecs\nencode\nC\x01a", put_text("latin1"), b"\x86R")
_item("b1_bytes_with_arguments", _REFUSED, b"cbuiltins\nbytes\nJ\x00\x00\x00\x7f\x85R")
_item(
    "b1_time_unit_unknown",
    "npy_dtype",
    SCALAR,
    b"cnumpy\ndtype\n",
    put_text("M8"),
    b"\x89\x88\x87R",
    b"(K\x04",
    put_text("<"),
    b"NNN",
    MINUS * 2,
    b"K\x00N(C\x03fooK\x01K\x01K\x01t\x86tb",
    b"C\x08abcdefgh\x86R",
)
_item("b1_time_unit_missing", _DAMAGED, SCALAR, put_dtype("M8"), b"C\x08abcdefgh\x86R")


def _time(unit: bytes) -> bytes:
    """Return the opcodes of a datetime scalar whose unit some opcodes state."""
    call = b"cnumpy\ndtype\n" + put_text("M8") + b"\x89\x88\x87R"
    state = b"(K\x04" + put_text("<") + b"NNN" + MINUS * 2 + b"K\x00" + unit + b"tb"
    return SCALAR + call + state + b"C\x08abcdefgh\x86R"


_item("b1_time_unit_no_pair", _DAMAGED, _time(b"N"))
_item("b1_time_unit_with_metadata", _DAMAGED, _time(b"}" + put_text("a") + b"NsN\x86"))
_item("b1_time_unit_three_parts", _DAMAGED, _time(b"N(C\x01sK\x01K\x01t\x86"))
_item("b1_time_unit_divided", _DAMAGED, _time(b"N(C\x01sK\x01K\x02K\x01t\x86"))
_item("b1_time_unit_multiple_zero", _DAMAGED, _time(b"N(C\x01sK\x00K\x01K\x01t\x86"))
_item("b1_time_unit_no_word", _DAMAGED, _time(b"N(C\x02s]K\x01K\x01K\x01t\x86"))
_item("b1_type_two_arguments", _DAMAGED, b"cnumpy\ndtype\n", put_text("f4"), b"\x89\x86R")
for _code, _flags in (("i8", b"K\x2d"), ("f4", b"K\x3f"), ("O8", b"K\x00"), ("U3", b"K\x01")):
    _item(f"b1_state_false_flags_{_code}", _DAMAGED, put_dtype(_code)[:-4] + _flags + b"tb")
_item("b1_type_other_flags", _DAMAGED, b"cnumpy\ndtype\n", put_text("f4"), b"\x88\x88\x87R")
_item("b1_type_short_state", _DAMAGED, b"cnumpy\ndtype\n", put_text("f4"), b"\x89\x88\x87R)b")
_item(
    "b1_type_version_without_its_part",
    _DAMAGED,
    b"cnumpy\ndtype\n",
    put_text("f4"),
    b"\x89\x88\x87R(K\x04",
    put_text("<"),
    b"NNN",
    MINUS * 2,
    b"K\x00tb",
)
_pickle("b1_shape_disagrees", "npy_shape", m.wrap_pickle(b"}"), (1,))
_pickle("b1_shape_disagrees_by_axis", "npy_shape", m.wrap_pickle(b"}"), (1, 1))
_pickle("b1_member_is_no_array", _REFUSED, b"\x80\x02}.")
_pickle(
    "b1_member_is_plain_array",
    _REFUSED,
    b"\x80\x02" + put_array(b")", put_dtype("f4"), b"C\x04abcd") + b".",
)
_item("b1_meta_is_list", "meta_invalid", b"]")
_item("b1_meta_is_none", "meta_invalid", b"N")
