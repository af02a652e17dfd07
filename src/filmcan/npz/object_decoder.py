"""The restricted decoder of object members: a small pickle machine without calls (threats B1).

The bytes never reach `pickle`. Few instructions are known; names are looked up in a fixed table
of inert symbols; a "call" of one makes a shell of `object_shells`. Lengths are held against what
is left before anything is taken. Nothing is imported, executed or created by name.
Source: CPython's `Lib/pickletools.py`, protocols 0-5.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from filmcan.errors import InvalidArtifactError
from filmcan.npz.limits import ReadLimits
from filmcan.npz.object_calls import CALLS, Symbol, find_symbol
from filmcan.npz.object_shells import ArrayShell, Bytearray, TypeShell, shown_text
from filmcan.npz.object_stream import PickleStream, parse_decimal
from filmcan.npz.object_values import Builder
from filmcan.npz.refusal import over_limit, refuse
from filmcan.npz.source import Buffer

if TYPE_CHECKING:
    import numpy as np

MAX_PROTOCOL = 5
_MAX_NAME_CHARS = 100
_MAX_DIGITS = 4_001  # 4000 and a sign
_MAX_INTEGER_BYTES = 1_662  # 4000 digits
_FLOAT = re.compile(rb"-?(?:[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?|inf|nan)")
_FLOAT64 = struct.Struct(">d")
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


def decode_object(data: Buffer, shape: tuple[int, ...], limits: ReadLimits) -> np.ndarray:
    """Return the object array that a pickle holds.

    Args:
        data: The whole pickle, nothing behind it.
        shape: The shape that the array's header states.
        limits: Bounds on its size and steps.

    Returns:
        object[shape], of None, bool, int, float, str, bytes, list, tuple, str-keyed dict, numpy
        scalars, arrays of plain types and object arrays of these.

    Raises:
        InvalidArtifactError: The bytes are anything else.
    """
    if len(data) > limits.max_object_bytes:
        raise over_limit(
            "max_object_bytes", f"{len(data)} bytes of objects, at most {limits.max_object_bytes}"
        )
    shell = _Machine(bytes(data), limits).run()
    try:
        return Builder(limits).build_array(shell, shape)
    except RecursionError as error:  # the caller itself is too deep in calls
        message = "values nest deeper than the caller's stack"
        raise over_limit("max_object_depth", message) from error


class _Machine(PickleStream):
    """The stack, the memo and the instructions."""

    __slots__ = ("_limits", "_marks", "_memo", "_stack", "_stopped")

    def __init__(self, data: bytes, limits: ReadLimits) -> None:
        super().__init__(data)
        self._limits = limits
        self._stack: list[object] = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}
        self._stopped = False

    def run(self) -> object:
        """Execute the whole stream and return the one value it leaves."""
        data, end = self.data, self.end
        for _ in range(self._limits.max_object_opcodes):
            if self.at >= end:
                raise refuse("pickle_damaged", "the pickle has no end")
            code = data[self.at]
            self.at += 1
            handler = _HANDLERS[code]
            if handler is None:
                raise self._refuse_opcode(code)
            handler(self)
            if self._stopped:
                return self._finish()
        limit = self._limits.max_object_opcodes
        raise over_limit("max_object_opcodes", f"a pickle of more than {limit} steps")

    def _finish(self) -> object:
        if self.at != self.end:
            raise refuse("pickle_refused", f"{self.end - self.at} bytes follow the pickle's end")
        if len(self._stack) != 1 or self._marks:
            raise refuse("pickle_damaged", "the pickle leaves more or less than one value")
        return self._stack[0]

    def _refuse_opcode(self, code: int) -> InvalidArtifactError:
        name = _REFUSED.get(chr(code))
        if name:
            return refuse("pickle_refused", f"the pickle uses {name}, which is never executed")
        return refuse("pickle_damaged", f"byte {code:#04x} is no pickle instruction")

    # --- stack --------------------------------------------------------------------------------

    def _pop(self) -> object:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise _underflow()
        return self._stack.pop()

    def _top(self) -> object:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise _underflow()
        return self._stack[-1]

    def _pop_marked(self) -> list[object]:
        if not self._marks:
            raise _underflow()
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def do_mark(self) -> None:
        self._marks.append(len(self._stack))

    # --- frame of the stream ------------------------------------------------------------------

    def do_protocol(self) -> None:
        version = self.take_number(1)
        if self.at != 2 or version > MAX_PROTOCOL:  # noqa: PLR2004 - the very first instruction
            raise refuse("pickle_damaged", f"a pickle of protocol {version}, or a second start")

    def do_frame(self) -> None:
        size = self.take_number(8)
        if size > self.end - self.at:
            left = self.end - self.at
            raise refuse("pickle_damaged", f"a frame of {size} bytes, {left} are left")

    def do_stop(self) -> None:
        self._stopped = True

    # --- plain values -------------------------------------------------------------------------

    def do_none(self) -> None:
        self._stack.append(None)

    def do_true(self) -> None:
        self._stack.append(True)

    def do_false(self) -> None:
        self._stack.append(False)

    def do_int1(self) -> None:
        self._stack.append(self.take_number(1))

    def do_int2(self) -> None:
        self._stack.append(self.take_number(2))

    def do_int4(self) -> None:
        self._stack.append(int.from_bytes(self.take(4), "little", signed=True))

    def do_int_line(self) -> None:
        line = self.take_line(_MAX_DIGITS)
        if line in (b"00", b"01"):
            self._stack.append(line == b"01")
        else:
            self._stack.append(parse_decimal(line))

    def do_long_line(self) -> None:
        self._stack.append(parse_decimal(self.take_line(_MAX_DIGITS + 1).removesuffix(b"L")))

    def do_long1(self) -> None:
        self._long(self.take_number(1))

    def do_long4(self) -> None:
        self._long(self.take_number(4))

    def _long(self, size: int) -> None:
        if size > _MAX_INTEGER_BYTES:
            raise over_limit("4000 digits", f"an integer of {size} bytes")
        self._stack.append(int.from_bytes(self.take(size), "little", signed=True))

    def do_float8(self) -> None:
        self._stack.append(_FLOAT64.unpack(self.take(8))[0])

    def do_float_line(self) -> None:
        line = self.take_line(_MAX_NAME_CHARS)
        if not _FLOAT.fullmatch(line):
            raise refuse("pickle_damaged", f"{line!r} is no number")
        self._stack.append(float(line))

    def _text(self, width: int) -> None:
        data = self.take(self.take_number(width))
        try:
            self._stack.append(data.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError as error:
            raise refuse("pickle_damaged", "text is not UTF-8") from error

    def do_text1(self) -> None:
        self._text(1)

    def do_text4(self) -> None:
        self._text(4)

    def do_text8(self) -> None:
        self._text(8)

    def do_text_line(self) -> None:
        line = self.take_line(self.end - self.at)
        try:
            self._stack.append(codecs.raw_unicode_escape_decode(line)[0])
        except UnicodeDecodeError as error:
            raise refuse("pickle_damaged", "text has a malformed escape") from error

    def do_bytes1(self) -> None:
        self._stack.append(self.take(self.take_number(1)))

    def do_bytes4(self) -> None:
        self._stack.append(self.take(self.take_number(4)))

    def do_bytes8(self) -> None:
        self._stack.append(self.take(self.take_number(8)))

    def do_bytearray8(self) -> None:
        self._stack.append(Bytearray(self.take(self.take_number(8))))

    # --- containers ---------------------------------------------------------------------------

    def do_empty_list(self) -> None:
        self._stack.append([])

    def do_empty_dict(self) -> None:
        self._stack.append({})

    def do_empty_tuple(self) -> None:
        self._stack.append(())

    def do_list(self) -> None:
        self._stack.append(self._pop_marked())

    def do_tuple(self) -> None:
        self._stack.append(tuple(self._pop_marked()))

    def do_tuple1(self) -> None:
        self._stack.append((self._pop(),))

    def do_tuple2(self) -> None:
        last, first = self._pop(), self._pop()
        self._stack.append((first, last))

    def do_tuple3(self) -> None:
        last, middle, first = self._pop(), self._pop(), self._pop()
        self._stack.append((first, middle, last))

    def do_dict(self) -> None:
        found: dict[str, object] = {}
        _fill(found, self._pop_marked())
        self._stack.append(found)

    def do_append(self) -> None:
        item = self._pop()
        _as_list(self._top()).append(item)

    def do_appends(self) -> None:
        items = self._pop_marked()
        _as_list(self._top()).extend(items)

    def do_set_item(self) -> None:
        value, key = self._pop(), self._pop()
        _fill(self._top(), [key, value])

    def do_set_items(self) -> None:
        items = self._pop_marked()
        _fill(self._top(), items)

    # --- memo ---------------------------------------------------------------------------------

    def _put(self, index: int) -> None:
        # Picklers number from 0: an index beyond the bytes read so far, or one taken, is a trick.
        if not 0 <= index <= self.at or index in self._memo:
            raise refuse("pickle_damaged", f"memo entry {index} is out of turn")
        self._memo[index] = self._top()

    def do_put1(self) -> None:
        self._put(self.take_number(1))

    def do_put4(self) -> None:
        self._put(self.take_number(4))

    def do_put_line(self) -> None:
        self._put(parse_decimal(self.take_line(_MAX_NAME_CHARS)))

    def do_memoize(self) -> None:
        self._put(len(self._memo))

    def _get(self, index: int) -> None:
        if index not in self._memo:
            raise refuse("pickle_damaged", f"memo entry {index} does not exist")
        self._stack.append(self._memo[index])

    def do_get1(self) -> None:
        self._get(self.take_number(1))

    def do_get4(self) -> None:
        self._get(self.take_number(4))

    def do_get_line(self) -> None:
        self._get(parse_decimal(self.take_line(_MAX_NAME_CHARS)))

    # --- names and what numpy does with them ----------------------------------------------------

    def do_global_line(self) -> None:
        module = self.take_line(_MAX_NAME_CHARS).decode("latin-1")
        self._stack.append(find_symbol(module, self.take_line(_MAX_NAME_CHARS).decode("latin-1")))

    def do_global(self) -> None:
        name, module = self._pop(), self._pop()
        self._stack.append(find_symbol(module, name))

    def do_reduce(self) -> None:
        arguments, symbol = self._pop(), self._pop()
        if type(arguments) is not tuple or type(symbol) is not Symbol:
            raise refuse("pickle_refused", "the pickle calls something that is no name of numpy's")
        self._stack.append(CALLS[symbol](arguments))

    def do_build(self) -> None:
        state = self._pop()
        shell = self._top()
        if type(shell) is not ArrayShell and type(shell) is not TypeShell:
            raise refuse("pickle_refused", f"the pickle sets the state of a {type(shell).__name__}")
        shell.set_state(state)


def _underflow() -> InvalidArtifactError:
    return refuse("pickle_damaged", "the pickle takes a value that is not there")


def _as_list(target: object) -> list[object]:
    if type(target) is not list:
        raise refuse("pickle_refused", f"the pickle appends to a {type(target).__name__}")
    return target


def _fill(target: object, items: list[object]) -> None:
    if type(target) is not dict or len(items) % 2:
        raise refuse("pickle_refused", f"the pickle sets items of a {type(target).__name__}")
    for index in range(0, len(items), 2):
        key = items[index]
        if type(key) is not str or key in target:
            message = f"a dict key stands twice or is no text: {shown_text(key)}"
            raise refuse("pickle_refused", message)
        target[key] = items[index + 1]


_INSTRUCTIONS: dict[str, Callable[[_Machine], None]] = {
    "\x80": _Machine.do_protocol,
    "\x95": _Machine.do_frame,
    ".": _Machine.do_stop,
    "(": _Machine.do_mark,
    "N": _Machine.do_none,
    "\x88": _Machine.do_true,
    "\x89": _Machine.do_false,
    "K": _Machine.do_int1,
    "M": _Machine.do_int2,
    "J": _Machine.do_int4,
    "I": _Machine.do_int_line,
    "L": _Machine.do_long_line,
    "\x8a": _Machine.do_long1,
    "\x8b": _Machine.do_long4,
    "G": _Machine.do_float8,
    "F": _Machine.do_float_line,
    "\x8c": _Machine.do_text1,
    "X": _Machine.do_text4,
    "\x8d": _Machine.do_text8,
    "V": _Machine.do_text_line,
    "C": _Machine.do_bytes1,
    "B": _Machine.do_bytes4,
    "\x8e": _Machine.do_bytes8,
    "\x96": _Machine.do_bytearray8,
    "]": _Machine.do_empty_list,
    "}": _Machine.do_empty_dict,
    ")": _Machine.do_empty_tuple,
    "l": _Machine.do_list,
    "d": _Machine.do_dict,
    "t": _Machine.do_tuple,
    "\x85": _Machine.do_tuple1,
    "\x86": _Machine.do_tuple2,
    "\x87": _Machine.do_tuple3,
    "a": _Machine.do_append,
    "e": _Machine.do_appends,
    "s": _Machine.do_set_item,
    "u": _Machine.do_set_items,
    "q": _Machine.do_put1,
    "r": _Machine.do_put4,
    "p": _Machine.do_put_line,
    "\x94": _Machine.do_memoize,
    "h": _Machine.do_get1,
    "j": _Machine.do_get4,
    "g": _Machine.do_get_line,
    "c": _Machine.do_global_line,
    "\x93": _Machine.do_global,
    "R": _Machine.do_reduce,
    "b": _Machine.do_build,
}

_HANDLERS: list[Callable[[_Machine], None] | None] = [
    _INSTRUCTIONS.get(chr(code)) for code in range(256)
]
