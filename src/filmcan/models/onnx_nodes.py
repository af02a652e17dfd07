"""The nodes and small constants of an ONNX file, read without running it or loading its weights.

Called by components that must know what a network does before they feed it. Names, kinds of
operations and constants of a few numbers are read; large tensors are skipped, unread.
Source: onnx/onnx.proto (field numbers); the protobuf wire format.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from filmcan.errors import AssetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_NUMBERS = 16
"""Constants of more numbers are passed over."""

_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT = 1, 5, 11
_NODE_INPUT, _NODE_OUTPUT, _NODE_KIND, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_TENSOR = 1, 5
_VALUE_NAME = 1
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_NAME = 1, 2, 4, 8
_TENSOR_RAW, _TENSOR_DOUBLES = 9, 10

_FLOAT16 = 10
_TYPES = {1: "<f4", _FLOAT16: "<f2", 11: "<f8"}
"""TensorProto.DataType -> numpy's name, floats only."""

_QUANTIZED = frozenset(
    {
        "ConvInteger",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "MatMulNBits",
        "QLinearConv",
        "QLinearMatMul",
        "QuantizeLinear",
    }
)
"""Operations on weights of 8 bits or fewer."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of the graph."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """What an ONNX file computes, apart from its weights.

    Attributes:
        inputs: Names of what is fed to it; weights are not among them.
        nodes: Its operations.
        constants: Name -> float64[k], k <= `MAX_NUMBERS`, flattened.
        weight_types: Element types of its weights, as `TensorProto.DataType` numbers them.
    """

    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: dict[str, NDArray[np.float64]]
    weight_types: frozenset[int]


def read_graph(file: Path, where: str) -> Graph:
    """Read an ONNX file.

    Raises:
        AssetError: It is no ONNX file.
    """
    try:
        with file.open("rb") as opened:
            model = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
        return _parse_graph(_get_last(model, _MODEL_GRAPH))
    except (LookupError, ValueError, TypeError) as error:
        raise AssetError("it is no ONNX file", where=where) from error


def find_precision(graph: Graph) -> str:
    """Return what `models_used` calls the precision of a network: float32, float16 or int8."""
    if any(node.kind in _QUANTIZED for node in graph.nodes):
        return "int8"
    return "float16" if _FLOAT16 in graph.weight_types else "float32"


def _parse_graph(data: memoryview) -> Graph:
    nodes, inputs, weights = [], [], set()
    types = set()
    constants: dict[str, NDArray[np.float64]] = {}
    for number, value in _iterate(data):
        if number == _GRAPH_NODE:
            node, constant = _parse_node(_as_bytes(value))
            nodes.append(node)
            if constant is not None:
                constants[node.outputs[0]] = constant
        elif number == _GRAPH_INITIALIZER:
            name, kind, constant = _parse_tensor(_as_bytes(value))
            weights.add(name)
            types.add(kind)
            if constant is not None:
                constants[name] = constant
        elif number == _GRAPH_INPUT:
            inputs.append(_as_text(_get_last(_as_bytes(value), _VALUE_NAME)))
    fed = tuple(name for name in inputs if name not in weights)
    return Graph(fed, tuple(nodes), constants, frozenset(types))


def _parse_node(data: memoryview) -> tuple[Node, NDArray[np.float64] | None]:
    inputs, outputs, kind = [], [], ""
    constant = None
    for number, value in _iterate(data):
        if number == _NODE_INPUT:
            inputs.append(_as_text(value))
        elif number == _NODE_OUTPUT:
            outputs.append(_as_text(value))
        elif number == _NODE_KIND:
            kind = _as_text(value)
        elif number == _NODE_ATTRIBUTE and kind == "Constant":
            attribute = dict(_iterate(_as_bytes(value)))
            is_value = _as_text(attribute[_ATTRIBUTE_NAME]) == "value"
            if is_value and _ATTRIBUTE_TENSOR in attribute:
                _, _, constant = _parse_tensor(_as_bytes(attribute[_ATTRIBUTE_TENSOR]))
    return Node(kind, tuple(inputs), tuple(outputs)), constant


def _parse_tensor(data: memoryview) -> tuple[str, int, NDArray[np.float64] | None]:
    """Return a tensor's name, type and numbers, None when they are many or no floats."""
    name, kind, count = "", 0, 1
    raw: memoryview | None = None
    packed: list[NDArray[np.float64]] = []
    for number, value in _iterate(data):
        if number == _TENSOR_NAME:
            name = _as_text(value)
        elif number == _TENSOR_TYPE:
            kind = _as_whole(value)
        elif number == _TENSOR_DIMS:
            for size in [value] if isinstance(value, int) else _iterate_varints(value):
                count *= size
        elif number == _TENSOR_RAW:
            raw = _as_bytes(value)
        elif number in (_TENSOR_FLOATS, _TENSOR_DOUBLES):
            dtype = "<f4" if number == _TENSOR_FLOATS else "<f8"
            packed.append(np.frombuffer(_as_bytes(value), dtype).astype(np.float64))
    if kind not in _TYPES or not 0 < count <= MAX_NUMBERS:
        return name, kind, None
    if raw is not None:
        return name, kind, np.frombuffer(raw, _TYPES[kind]).astype(np.float64)
    return name, kind, np.concatenate(packed) if packed else None


def _iterate(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the number and value of each field of a message."""
    place = 0
    while place < len(data):
        key, place = _read_varint(data, place)
        number, wire = key >> 3, key & 7
        value: int | memoryview
        if wire == _VARINT:
            value, place = _read_varint(data, place)
        else:
            if wire == _BYTES:
                size, place = _read_varint(data, place)
            else:
                size = {_FIXED64: 8, _FIXED32: 4}[wire]
            value = data[place : place + size]
            place += size
            if place > len(data):
                raise ValueError("a field reaches beyond its message")
        yield number, value


def _iterate_varints(data: memoryview) -> Iterator[int]:
    place = 0
    while place < len(data):
        value, place = _read_varint(data, place)
        yield value


def _read_varint(data: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the top bit says that more follows
            return value, place
        shift += 7


def _get_last(data: memoryview, wanted: int) -> memoryview:
    found = [value for number, value in _iterate(data) if number == wanted]
    return _as_bytes(found[-1])


def _as_bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise TypeError("expected bytes, got a number")
    return value


def _as_whole(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise TypeError("expected a number, got bytes")
    return value


def _as_text(value: int | memoryview) -> str:
    return bytes(_as_bytes(value)).decode("utf-8")
