"""The stack machine behind `object_decoder`: what each known pickle instruction does (threats B1).

No instruction imports, calls or creates by name; a "call" of one of numpy's names makes an inert
shell. Lengths are held against what is left before anything is taken.
Source: CPython's `Lib/pickletools.py`, protocols 0-5.
"""

from __future__ import annotations

import codecs
import re
import struct
from typing import cast

from filmcan.errors import InvalidArtifactError
from filmcan.npz.limits import ReadLimits
from filmcan.npz.object_calls import CALLS, Symbol, find_symbol
from filmcan.npz.object_shells import ArrayShell, Bytearray, TypeShell, shown_text
from filmcan.npz.object_stream import PickleStream, parse_decimal
from filmcan.npz.refusal import over_limit, refuse

MAX_PROTOCOL = 5
_MAX_NAME_CHARS = 100
_MAX_DIGITS = 4_001  # 4000 and a sign
_MAX_INTEGER_BYTES = 1_662  # 4000 digits
_FLOAT = re.compile(rb"-?(?:[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?|inf|nan)")
_FLOAT64 = struct.Struct(">d")


class Machine(PickleStream):
    """The stack, the memo and the instructions, one method each.

    Attributes:
        stopped: True after the instruction that ends a pickle.
        copied_bytes: Size of the text and data that calls have copied: of one text in the memo, a
            few instructions make one copy after the other.
    """

    __slots__ = ("_limits", "_marks", "_memo", "_stack", "copied_bytes", "stopped")

    def __init__(self, data: bytes, limits: ReadLimits, copied_bytes: int = 0) -> None:
        """Start with nothing on the stack; `copied_bytes` is what the limit must hold already."""
        super().__init__(data)
        self._limits = limits
        self.copied_bytes = copied_bytes
        self._stack: list[object] = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}
        self.stopped = False

    def finish(self) -> object:
        """Return the one value that the stream leaves."""
        if self.at != self.end:
            raise refuse("pickle_refused", f"{self.end - self.at} bytes follow the pickle's end")
        if len(self._stack) != 1 or self._marks:
            raise refuse("pickle_damaged", "the pickle leaves more or less than one value")
        return self._stack[0]

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
        """MARK."""
        self._marks.append(len(self._stack))

    # --- frame of the stream ------------------------------------------------------------------

    def do_protocol(self) -> None:
        """PROTO: only as the very first instruction."""
        version = self.take_number(1)
        if self.at != 2 or version > MAX_PROTOCOL:  # noqa: PLR2004 - the very first instruction
            raise refuse("pickle_damaged", f"a pickle of protocol {version}, or a second start")

    def do_frame(self) -> None:
        """FRAME: its length is checked, then it means nothing."""
        size = self.take_number(8)
        if size > self.end - self.at:
            left = self.end - self.at
            raise refuse("pickle_damaged", f"a frame of {size} bytes, {left} are left")

    def do_stop(self) -> None:
        """STOP."""
        self.stopped = True

    # --- plain values -------------------------------------------------------------------------

    def do_none(self) -> None:
        """NONE."""
        self._stack.append(None)

    def do_true(self) -> None:
        """NEWTRUE."""
        self._stack.append(True)

    def do_false(self) -> None:
        """NEWFALSE."""
        self._stack.append(False)

    def do_int1(self) -> None:
        """BININT1."""
        self._stack.append(self.take_number(1))

    def do_int2(self) -> None:
        """BININT2."""
        self._stack.append(self.take_number(2))

    def do_int4(self) -> None:
        """BININT."""
        self._stack.append(int.from_bytes(self.take(4), "little", signed=True))

    def do_int_line(self) -> None:
        """INT: also how protocol 0 writes True and False."""
        line = self.take_line(_MAX_DIGITS)
        if line in (b"00", b"01"):
            self._stack.append(line == b"01")
        else:
            self._stack.append(parse_decimal(line))

    def do_long_line(self) -> None:
        """LONG."""
        self._stack.append(parse_decimal(self.take_line(_MAX_DIGITS + 1).removesuffix(b"L")))

    def do_long1(self) -> None:
        """LONG1."""
        self._long(self.take_number(1))

    def do_long4(self) -> None:
        """LONG4."""
        self._long(self.take_number(4))

    def _long(self, size: int) -> None:
        if size > _MAX_INTEGER_BYTES:
            raise over_limit("4000 digits", f"an integer of {size} bytes")
        self._stack.append(int.from_bytes(self.take(size), "little", signed=True))

    def do_float8(self) -> None:
        """BINFLOAT."""
        self._stack.append(_FLOAT64.unpack(self.take(8))[0])

    def do_float_line(self) -> None:
        """FLOAT."""
        line = self.take_line(_MAX_NAME_CHARS)
        if not _FLOAT.fullmatch(line):
            raise refuse("pickle_damaged", f"{line!r} is no number")
        self._stack.append(float(line))

    def _text(self, width: int) -> None:
        data = self.take_sized(width)
        try:
            self._stack.append(data.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError as error:
            raise refuse("pickle_damaged", "text is not UTF-8") from error

    def do_text1(self) -> None:
        """SHORT_BINUNICODE."""
        self._text(1)

    def do_text4(self) -> None:
        """BINUNICODE."""
        self._text(4)

    def do_text8(self) -> None:
        """BINUNICODE8."""
        self._text(8)

    def do_text_line(self) -> None:
        """UNICODE."""
        line = self.take_line(self.end - self.at)
        try:
            self._stack.append(codecs.raw_unicode_escape_decode(line)[0])
        except UnicodeDecodeError as error:
            raise refuse("pickle_damaged", "text has a malformed escape") from error

    def do_bytes1(self) -> None:
        """SHORT_BINBYTES."""
        self._stack.append(self.take_sized(1))

    def do_bytes4(self) -> None:
        """BINBYTES."""
        self._stack.append(self.take_sized(4))

    def do_bytes8(self) -> None:
        """BINBYTES8."""
        self._stack.append(self.take_sized(8))

    def do_bytearray8(self) -> None:
        """BYTEARRAY8: only as data of an array."""
        self._stack.append(Bytearray(self.take_sized(8)))

    # --- containers ---------------------------------------------------------------------------

    def do_empty_list(self) -> None:
        """EMPTY_LIST."""
        self._stack.append([])

    def do_empty_dict(self) -> None:
        """EMPTY_DICT."""
        self._stack.append({})

    def do_empty_tuple(self) -> None:
        """EMPTY_TUPLE."""
        self._stack.append(())

    def do_list(self) -> None:
        """LIST."""
        self._stack.append(self._pop_marked())

    def do_tuple(self) -> None:
        """TUPLE."""
        self._stack.append(tuple(self._pop_marked()))

    def do_tuple1(self) -> None:
        """TUPLE1."""
        self._stack.append((self._pop(),))

    def do_tuple2(self) -> None:
        """TUPLE2."""
        last, first = self._pop(), self._pop()
        self._stack.append((first, last))

    def do_tuple3(self) -> None:
        """TUPLE3."""
        last, middle, first = self._pop(), self._pop(), self._pop()
        self._stack.append((first, middle, last))

    def do_dict(self) -> None:
        """DICT."""
        found: dict[str, object] = {}
        _fill(found, self._pop_marked())
        self._stack.append(found)

    def do_append(self) -> None:
        """APPEND."""
        item = self._pop()
        _as_list(self._top()).append(item)

    def do_appends(self) -> None:
        """APPENDS."""
        items = self._pop_marked()
        _as_list(self._top()).extend(items)

    def do_set_item(self) -> None:
        """SETITEM."""
        value, key = self._pop(), self._pop()
        _fill(self._top(), [key, value])

    def do_set_items(self) -> None:
        """SETITEMS."""
        items = self._pop_marked()
        _fill(self._top(), items)

    # --- memo ---------------------------------------------------------------------------------

    def _put(self, index: int) -> None:
        # Picklers number from 0: an index beyond the bytes read so far, or one taken, is a trick.
        if not 0 <= index <= self.at or index in self._memo:
            raise refuse("pickle_damaged", f"memo entry {index} is out of turn")
        self._memo[index] = self._top()

    def do_put1(self) -> None:
        """BINPUT."""
        self._put(self.take_number(1))

    def do_put4(self) -> None:
        """LONG_BINPUT."""
        self._put(self.take_number(4))

    def do_put_line(self) -> None:
        """PUT."""
        self._put(parse_decimal(self.take_line(_MAX_NAME_CHARS)))

    def do_memoize(self) -> None:
        """MEMOIZE."""
        self._put(len(self._memo))

    def _get(self, index: int) -> None:
        if index not in self._memo:
            raise refuse("pickle_damaged", f"memo entry {index} does not exist")
        self._stack.append(self._memo[index])

    def do_get1(self) -> None:
        """BINGET."""
        self._get(self.take_number(1))

    def do_get4(self) -> None:
        """LONG_BINGET."""
        self._get(self.take_number(4))

    def do_get_line(self) -> None:
        """GET."""
        self._get(parse_decimal(self.take_line(_MAX_NAME_CHARS)))

    # --- names and what numpy does with them ----------------------------------------------------

    def do_global_line(self) -> None:
        """GLOBAL: a symbol, never an import."""
        module = self.take_line(_MAX_NAME_CHARS).decode("latin-1")
        self._stack.append(find_symbol(module, self.take_line(_MAX_NAME_CHARS).decode("latin-1")))

    def do_global(self) -> None:
        """STACK_GLOBAL: a symbol, never an import."""
        name, module = self._pop(), self._pop()
        self._stack.append(find_symbol(module, name))

    def do_reduce(self) -> None:
        """REDUCE: an inert record of what numpy would build."""
        arguments, symbol = self._pop(), self._pop()
        if type(arguments) is not tuple or type(symbol) is not Symbol:
            raise refuse("pickle_refused", "the pickle calls something that is no name of numpy's")
        made = CALLS[symbol](arguments)
        if symbol is Symbol.ENCODE or symbol is Symbol.SCALAR:
            self._count_copy(cast("str | bytes", arguments[symbol is Symbol.SCALAR]))
        self._stack.append(made)

    def _count_copy(self, copied: str | bytes) -> None:
        self.copied_bytes += len(copied)
        limit = self._limits.max_object_text_bytes
        if self.copied_bytes > limit:
            raise over_limit("max_object_text_bytes", f"over {limit} bytes copied in decoding")

    def do_build(self) -> None:
        """BUILD: the state of such a record."""
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
