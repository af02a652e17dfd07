"""The restricted decoder of object members: pickles without `pickle` (threats B1).

The bytes never reach `pickle`, nor numpy's own reconstructing functions. Few instructions are
known, names are looked up in a fixed table of inert symbols, and values are built only when the
whole stream has been read and measured.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import length_hint
from typing import TYPE_CHECKING

from filmcan.errors import InvalidArtifactError
from filmcan.npz.limits import ReadLimits
from filmcan.npz.object_cost import ObjectCost
from filmcan.npz.object_machine import Machine
from filmcan.npz.object_values import Builder
from filmcan.npz.refusal import over_limit, refuse
from filmcan.npz.source import Buffer

if TYPE_CHECKING:
    import numpy as np

_REFUSED = {
    "i": "INST",
    "o": "OBJ",
    "\x81": "NEWOBJ",
    "\x92": "NEWOBJ_EX",
    "\x82": "EXT1",
    "\x83": "EXT2",
    "\x84": "EXT4",
    "P": "PERSID",
    "Q": "BINPERSID",
    "0": "POP",
    "1": "POP_MARK",
    "2": "DUP",
    "S": "STRING",
    "T": "BINSTRING",
    "U": "SHORT_BINSTRING",
    "\x8f": "EMPTY_SET",
    "\x90": "ADDITEMS",
    "\x91": "FROZENSET",
    "\x97": "NEXT_BUFFER",
    "\x98": "READONLY_BUFFER",
}


def decode_object(
    data: Buffer, shape: tuple[int, ...], limits: ReadLimits, cost: ObjectCost | None = None
) -> np.ndarray:
    """Return the object array that a pickle holds.

    Args:
        data: The whole pickle, nothing behind it.
        shape: The shape that the array's header states.
        limits: Bounds on its size and steps, together with what they have cost before.
        cost: What other members of the file have cost; what this one costs is added, also when it
            is refused. None: it is the only one.

    Returns:
        object[shape], of None, bool, int, float, str, bytes, list, tuple, str-keyed dict, numpy
        scalars, arrays of plain types and object arrays of these.

    Raises:
        InvalidArtifactError: The bytes are anything else.
    """
    cost = ObjectCost() if cost is None else cost
    size = cost.size_bytes + len(data)
    if size > limits.max_object_bytes:
        raise over_limit(
            "max_object_bytes", f"{size} bytes of objects in all, at most {limits.max_object_bytes}"
        )
    cost.size_bytes = size
    shell = _run(bytes(data), limits, cost)
    try:
        return Builder(limits, cost).build_array(shell, shape)
    except RecursionError as error:  # the caller itself is too deep in calls
        message = "values nest deeper than the caller's stack"
        raise over_limit("max_object_depth", message) from error


def _run(data: bytes, limits: ReadLimits, cost: ObjectCost) -> object:
    """Execute a whole stream and return the one value it leaves."""
    machine = Machine(data, limits, cost.text_bytes)
    end = len(data)
    limit = limits.max_object_opcodes
    steps = iter(range(limit - cost.opcodes))
    try:
        for _ in steps:
            at = machine.at
            if at >= end:
                raise refuse("pickle_damaged", "the pickle has no end")
            machine.at = at + 1
            handler = _HANDLERS[data[at]]
            if handler is None:
                raise _refuse_opcode(data[at])
            handler(machine)
            if machine.stopped:
                return machine.finish()
    finally:
        cost.opcodes = limit - length_hint(steps)
        cost.text_bytes = machine.copied_bytes
    raise over_limit("max_object_opcodes", f"objects of more than {limit} steps in all")


def _refuse_opcode(code: int) -> InvalidArtifactError:
    name = _REFUSED.get(chr(code))
    if name:
        return refuse("pickle_refused", f"the pickle uses {name}, which is never executed")
    return refuse("pickle_damaged", f"byte {code:#04x} is no pickle instruction")


_INSTRUCTIONS: dict[str, Callable[[Machine], None]] = {
    "\x80": Machine.do_protocol,
    "\x95": Machine.do_frame,
    ".": Machine.do_stop,
    "(": Machine.do_mark,
    "N": Machine.do_none,
    "\x88": Machine.do_true,
    "\x89": Machine.do_false,
    "K": Machine.do_int1,
    "M": Machine.do_int2,
    "J": Machine.do_int4,
    "I": Machine.do_int_line,
    "L": Machine.do_long_line,
    "\x8a": Machine.do_long1,
    "\x8b": Machine.do_long4,
    "G": Machine.do_float8,
    "F": Machine.do_float_line,
    "\x8c": Machine.do_text1,
    "X": Machine.do_text4,
    "\x8d": Machine.do_text8,
    "V": Machine.do_text_line,
    "C": Machine.do_bytes1,
    "B": Machine.do_bytes4,
    "\x8e": Machine.do_bytes8,
    "\x96": Machine.do_bytearray8,
    "]": Machine.do_empty_list,
    "}": Machine.do_empty_dict,
    ")": Machine.do_empty_tuple,
    "l": Machine.do_list,
    "d": Machine.do_dict,
    "t": Machine.do_tuple,
    "\x85": Machine.do_tuple1,
    "\x86": Machine.do_tuple2,
    "\x87": Machine.do_tuple3,
    "a": Machine.do_append,
    "e": Machine.do_appends,
    "s": Machine.do_set_item,
    "u": Machine.do_set_items,
    "q": Machine.do_put1,
    "r": Machine.do_put4,
    "p": Machine.do_put_line,
    "\x94": Machine.do_memoize,
    "h": Machine.do_get1,
    "j": Machine.do_get4,
    "g": Machine.do_get_line,
    "c": Machine.do_global_line,
    "\x93": Machine.do_global,
    "R": Machine.do_reduce,
    "b": Machine.do_build,
}

_HANDLERS: list[Callable[[Machine], None] | None] = [
    _INSTRUCTIONS.get(chr(code)) for code in range(256)
]
