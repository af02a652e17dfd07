"""Does a depth network normalise its pictures itself?

Called by `depth_network.py`. The released MiDaS v2.1 small does: its first steps subtract a mean
and divide by a spread. Normalising before it as well gives maps that look right and are wrong, so
the question is answered by looking into the file.
Source: isl-org/MiDaS, `tf/make_onnx_model.py` (the wrapper that is exported).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from filmcan.errors import AssetError
from filmcan.models.onnx_nodes import Graph, Node, read_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

Normalization = Literal["graph", "host"]
"""Where pictures in 0..1 are normalised: inside the network, or before it."""

MEAN = np.array([0.485, 0.456, 0.406])
STD = np.array([0.229, 0.224, 0.225])
"""Mean and spread of the channels of ImageNet, R G B."""

_PASSING = frozenset({"Identity", "Cast", "Unsqueeze", "Squeeze", "Reshape", "Slice", "Expand"})
"""Operations that leave the few numbers of a constant, or the picture, as they are."""

_CHANNELS = 3
_TOLERANCE = 1e-3


def find_normalization(file: Path, where: str) -> Normalization:
    """Walk a network from its one input and say who must normalise.

    Raises:
        AssetError: It is no ONNX file, has not one input, or changes the values of its input in a
            way that is neither nothing nor the known normalisation.
    """
    graph = read_graph(file, where)
    if len(graph.inputs) != 1:
        raise AssetError(
            f"expected one input, got {len(graph.inputs)}", code="network_form", where=where
        )
    scale, shift = _walk(graph)
    if _is_near(scale, np.ones(_CHANNELS)) and _is_near(shift, np.zeros(_CHANNELS)):
        return "host"
    if _is_near(scale, 1 / STD) and _is_near(shift, -MEAN / STD):
        return "graph"
    raise AssetError(
        f"it changes its input in an unknown way: times {scale.tolist()}, plus {shift.tolist()}",
        code="network_form",
        where=where,
        hint="Use MiDaS v2.1 small as released, or a network that takes normalised pictures.",
    )


def _walk(graph: Graph) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by how much each channel is multiplied and then increased at the very start."""
    scale, shift = np.ones(_CHANNELS), np.zeros(_CHANNELS)
    value = graph.inputs[0]
    while True:
        users = [node for node in graph.nodes if value in node.inputs]
        if len(users) != 1:
            return scale, shift
        node = users[0]
        if node.kind not in _PASSING:
            number = _find_constant(graph, node, value)
            if number is None:
                return scale, shift
            if node.kind in ("Sub", "Add"):
                shift = shift + (number if node.kind == "Add" else -number)
            else:
                factor = number if node.kind == "Mul" else 1 / number
                scale, shift = scale * factor, shift * factor
        value = node.outputs[0]


def _find_constant(graph: Graph, node: Node, value: str) -> NDArray[np.float64] | None:
    """Return what a step of arithmetic does to each channel, None when it is no such step."""
    is_first = node.inputs[0] == value
    if node.kind not in ("Sub", "Div", "Add", "Mul") or len(node.inputs) != 2:  # noqa: PLR2004
        return None
    if not is_first and node.kind in ("Sub", "Div"):
        return None
    name = node.inputs[1] if is_first else node.inputs[0]
    makers = {output: maker for maker in graph.nodes for output in maker.outputs}
    while name not in graph.constants:
        maker = makers.get(name)
        if maker is None or maker.kind not in _PASSING:
            return None
        name = maker.inputs[0]
    number = graph.constants[name]
    return np.broadcast_to(number, _CHANNELS) if number.size in (1, _CHANNELS) else None


def _is_near(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> bool:
    return bool(np.allclose(found, wanted, rtol=_TOLERANCE, atol=_TOLERANCE))
