"""Pieces of pickles as numpy writes them, put together by hand: texts, types, arrays, scalars."""

from __future__ import annotations

import struct

RECONSTRUCT = b"cnumpy._core.multiarray\n_reconstruct\n"
SHELL = RECONSTRUCT + b"cnumpy\nndarray\nK\x00\x85C\x01b\x87R"
MINUS = b"J\xff\xff\xff\xff"
SCALAR = b"cnumpy._core.multiarray\nscalar\n"
FROM_BUFFER = b"cnumpy._core.numeric\n_frombuffer\n("


def put_text(value: str) -> bytes:
    """Return the opcode of a text."""
    data = value.encode()
    return b"X" + struct.pack("<L", len(data)) + data


def put_dtype(code: str, state: bytes | None = None) -> bytes:
    """Return the opcodes of an element type; `state` replaces the three Nones of a plain one."""
    order = b"|" if code[0] in "OS" else b"<"
    call = b"cnumpy\ndtype\n" + put_text(code) + b"\x89\x88\x87R"
    middle = b"NNN" if state is None else state
    flags = {"O": b"K\x3f", "U": b"K\x08"}.get(code[0], b"K\x00")
    return call + b"(K\x03" + put_text(order.decode()) + middle + MINUS * 2 + flags + b"tb"


def put_array(shape: bytes, dtype: bytes, data: bytes) -> bytes:
    """Return the opcodes of an array from shape, type and data, each as opcodes."""
    return SHELL + b"(K\x01" + shape + dtype + b"\x89" + data + b"tb"
