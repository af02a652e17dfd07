"""Networks in TensorFlow Lite, run by LiteRT. An interpreter belongs to one thread."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filmcan.errors import AssetError, MissingExtraError
from filmcan.models.execution import AUTO, CPU, Execution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from filmcan.contract.model_used import ModelUsed
    from filmcan.models.weights import Weights


def find_missing_litert() -> str | None:
    """Return None when LiteRT can be imported, else the sentence with the command."""
    if importlib.util.find_spec("ai_edge_litert") is not None:
        return None
    return 'ai-edge-litert is not installed. Run: pip install "filmcan[models]"'


class TfliteNetwork:
    """An interpreter with fixed shapes; not for use from two threads at once.

    Attributes:
        used: What runs, for `models_used`.
        notes: Sentences for the manifest: that another device was asked for.
        inputs: Input name -> shape.
        outputs: Output name -> shape.
    """

    def __init__(self, weights: Weights, file: str, execution: Execution) -> None:
        """Open a network on the CPU.

        Raises:
            MissingExtraError: LiteRT is not installed.
            AssetError: LiteRT refuses the file.
        """
        self._interpreter = _open(weights, file, execution.threads)
        self._inputs = {item["name"]: item for item in self._interpreter.get_input_details()}
        self._outputs = {item["name"]: item for item in self._interpreter.get_output_details()}
        self.inputs = {name: tuple(map(int, item["shape"])) for name, item in self._inputs.items()}
        self.outputs = {
            name: tuple(map(int, item["shape"])) for name, item in self._outputs.items()
        }
        precision = _find_precision(self._interpreter.get_tensor_details())
        self.used = _describe(weights, file, precision)
        self.notes: tuple[str, ...] = ()
        if execution.device not in (AUTO, CPU):
            self.notes = (f"LiteRT does not run on {execution.device}; the CPU was used.",)

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the network and return copies of its outputs by name."""
        for name, array in feeds.items():
            self._interpreter.set_tensor(self._inputs[name]["index"], array)
        self._interpreter.invoke()
        return {
            name: self._interpreter.get_tensor(item["index"])
            for name, item in self._outputs.items()
        }


class TfliteNetworks:
    """Open networks that nobody runs at the moment, so that each is loaded once per process.

    Two threads that want the same one at the same time get one each.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._idle: dict[object, list[TfliteNetwork]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, weights: Weights, file: str, execution: Execution) -> Iterator[TfliteNetwork]:
        """Lend a network to the calling thread; one that failed is not lent again.

        Raises:
            MissingExtraError: LiteRT is not installed.
            AssetError: LiteRT refuses the file.
        """
        key = (weights.name, weights.version, weights.digests[file], execution)
        with self._lock:
            idle = self._idle.get(key)
            network = idle.pop() if idle else None
        if network is None:
            network = TfliteNetwork(weights, file, execution)
        yield network
        with self._lock:
            self._idle.setdefault(key, []).append(network)


TFLITE_NETWORKS = TfliteNetworks()
"""One per process: batches reuse what the first video loaded."""


def plan_network(weights: Weights, file: str) -> ModelUsed:
    """Return the row of `models_used` that opening this network here would give.

    Raises:
        MissingExtraError: LiteRT is not installed.
        AssetError: LiteRT refuses the file.
    """
    place = weights.files[file]
    if place not in _PRECISIONS:
        tensors = _open(weights, file, threads=1).get_tensor_details()
        _PRECISIONS[place] = _find_precision(tensors)
    return _describe(weights, file, _PRECISIONS[place])


_PRECISIONS: dict[Path, str] = {}
"""Read once per process: a file's place in the cache says what is in it."""


def _open(weights: Weights, file: str, threads: int) -> Any:  # noqa: ANN401 - LiteRT is untyped
    missing = find_missing_litert()
    if missing is not None:
        raise MissingExtraError(missing, where=weights.name)
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(str(weights.files[file]), num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise AssetError(
            f"LiteRT cannot open it: {' '.join(str(error).split())[:300]}",
            where=f"{weights.name}: {file}",
            hint="Check the file: filmcan models verify " + weights.name,
        ) from error
    return interpreter


def _describe(weights: Weights, file: str, precision: str) -> ModelUsed:
    return weights.describe(
        file,
        runtime=f"ai-edge-litert {metadata.version('ai-edge-litert')}",
        engine="xnnpack",
        precision=precision,
        device=CPU,
    )


def _find_precision(tensors: Sequence[Mapping[str, Any]]) -> str:
    """Return the element type of the weights; half-precision ones are computed with in float32."""
    types = {item["dtype"].__name__ for item in tensors}
    return "float16" if "float16" in types else "float32"
