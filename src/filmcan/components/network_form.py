"""What a component needs to be there before it runs a network, and what the network must be like.

A user may name a network of his own in the profile: one with other inputs or outputs is refused
by name, with the form that was expected.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.errors import AssetError, BadProfileError
from filmcan.models.catalog import load_catalog
from filmcan.models.onnx_network import NETWORKS, plan_network
from filmcan.models.onnx_nodes import find_precision, read_graph
from filmcan.models.weights import find_missing_weights, get_weights

if TYPE_CHECKING:
    from filmcan.contract.model_used import ModelUsed
    from filmcan.models.execution import Execution
    from filmcan.models.onnx_network import OnnxNetwork, Tensor
    from filmcan.models.weights import Weights

MODELS_EXTRA = "models"

FLOATS = "tensor(float)"
INT64S = "tensor(int64)"
"""Element types as onnxruntime names them."""

_DISTRIBUTIONS = {"PIL": "Pillow", "faster_whisper": "faster-whisper"}
"""Names of packages that differ from what is imported."""


def find_missing_part(
    model: str, files: Sequence[str], *modules: str, extra: str = MODELS_EXTRA
) -> str | None:
    """Return None when a network can run, else the sentence that ends with the command.

    Args:
        model: Name of the asset, from the profile.
        files: The files that are needed of it.
        modules: What must be importable, onnxruntime apart.
        extra: Which extra of filmcan brings them.

    Raises:
        NotFoundError: The catalog has no such asset.
        BadProfileError: It is an asset of another kind: it has no such files.
    """
    known = [file.path for file in load_catalog().get(model).files]
    lacking = [file for file in files if file not in known]
    if lacking:
        raise BadProfileError(
            f"the asset {model} has no {', '.join(lacking)}",
            where="model",
            hint=f"It has: {', '.join(known)}. Name an asset made for this component.",
        )
    for module in ("onnxruntime", *modules):
        if importlib.util.find_spec(module) is None:
            name = _DISTRIBUTIONS.get(module, module)
            return f'{name} is not installed. Run: pip install "filmcan[{extra}]"'
    return find_missing_weights(model)


def open_network(weights: Weights, file: str, execution: Execution) -> OnnxNetwork:
    """Return a network of an asset, opened once per process, its precision read from the file.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        AssetError: It is no network that onnxruntime can run.
    """
    precision = _read_precision(weights.files[file], f"{weights.name}: {file}")
    return NETWORKS.open(weights, file, execution, precision=precision)


def plan_networks(model: str, files: Sequence[str], execution: Execution) -> tuple[ModelUsed, ...]:
    """Return the rows of `models_used` that opening these files of an asset would give.

    Raises:
        NotFoundError: A file is not in the cache.
        MissingExtraError: onnxruntime is not installed.
        AssetError: A file is no network.
    """
    weights = get_weights(model)
    return tuple(
        plan_network(
            weights,
            file,
            execution,
            precision=_read_precision(weights.files[file], f"{weights.name}: {file}"),
        )
        for file in files
    )


def get_tensor(
    tensors: Sequence[Tensor],
    name: str,
    shape: Sequence[int | None],
    dtype: str,
    where: str,
) -> Tensor:
    """Return an input or output of a network after holding it to its expected form.

    Args:
        tensors: The network's inputs, or its outputs.
        name: Name of the one that is wanted.
        shape: Its axes; None for one of any size. An axis that the network leaves free fits all.
        dtype: Its element type, as onnxruntime names it.
        where: Asset and file, for the error.

    Raises:
        AssetError: There is none of that name, or it has another form.
    """
    found = next((tensor for tensor in tensors if tensor.name == name), None)
    if found is None or not _fits(found, shape, dtype):
        got = ", ".join(map(_show, tensors)) if found is None else _show(found)
        axes = ",".join("any" if axis is None else str(axis) for axis in shape)
        raise AssetError(
            f"expected {name} {dtype} [{axes}], got {got}",
            code="network_form",
            where=where,
            hint="Choose weights of the form that the component's SCHEMA.md names.",
        )
    return found


@functools.cache
def _read_precision(file: Path, where: str) -> str:
    """Read a file once per process: its place in the cache says what is in it."""
    return find_precision(read_graph(file, where))


def _fits(tensor: Tensor, shape: Sequence[int | None], dtype: str) -> bool:
    if len(tensor.shape) != len(shape) or tensor.dtype != dtype:
        return False
    pairs = zip(tensor.shape, shape, strict=True)
    return all(wanted is None or axis is None or axis == wanted for axis, wanted in pairs)


def _show(tensor: Tensor) -> str:
    axes = ",".join("free" if axis is None else str(axis) for axis in tensor.shape)
    return f"{tensor.name} {tensor.dtype} [{axes}]"
