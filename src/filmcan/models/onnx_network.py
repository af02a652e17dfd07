"""Networks in ONNX, run by onnxruntime: opened once per process, on the device there is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from filmcan.errors import AssetError, MissingExtraError
from filmcan.models.execution import AUTO, CPU, Execution

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from filmcan.contract.model_used import ModelUsed
    from filmcan.models.weights import Weights

_CPU_PROVIDER = "CPUExecutionProvider"
_PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""Device as the profile names it -> onnxruntime's execution provider."""

_AUTO_DEVICES = ("cuda", "rocm")
"""What `auto` tries, in order. Others change the numbers too much to be chosen unasked."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a network: its name, and its shape with None for free axes."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


class OnnxNetwork:
    """An open network. `run` may be called from several threads.

    Attributes:
        used: What runs, for `models_used`.
        notes: Sentences for the manifest, such as a fallback to another device.
        inputs: Its inputs, in the graph's order.
        outputs: Its outputs, in the graph's order.
    """

    def __init__(self, session: Any, used: ModelUsed, notes: tuple[str, ...]) -> None:  # noqa: ANN401 - onnxruntime is untyped
        """Wrap a session."""
        self._session = session
        self.used = used
        self.notes = notes
        self.inputs = tuple(map(_describe_tensor, session.get_inputs()))
        self.outputs = tuple(map(_describe_tensor, session.get_outputs()))

    def run(
        self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Run the network and return its outputs by name.

        Args:
            feeds: Input name -> array.
            outputs: Names of the outputs wanted; None means all.
        """
        names = [tensor.name for tensor in self.outputs] if outputs is None else list(outputs)
        return dict(zip(names, self._session.run(names, dict(feeds)), strict=True))


_Identity = tuple[str, str, str, Execution]


def _identify(weights: Weights, file: str, execution: Execution) -> _Identity:
    return (weights.name, weights.version, weights.digests[file], execution)


class OnnxNetworks:
    """The networks that are open, each loaded once.

    Known by name as well as by digest: two models may hold the same file, and what a run records
    is the name it asked for.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._open: dict[_Identity, OnnxNetwork] = {}
        self._lock = threading.Lock()

    def open(
        self,
        weights: Weights,
        file: str,
        execution: Execution,
        *,
        precision: str = "float32",
        build: Callable[[Path], bytes] | None = None,
    ) -> OnnxNetwork:
        """Return a network, opening it when it is not open yet.

        Args:
            weights: The model.
            file: Which of its files: the graph, or what `build` makes a graph of.
            execution: Device and threads.
            precision: Element type of the weights.
            build: Turns the file into the bytes of an ONNX graph; None: it is one.

        Raises:
            MissingExtraError: onnxruntime is not installed.
            AssetError: onnxruntime refuses the file.
        """
        key = _identify(weights, file, execution)
        with self._lock:
            if key not in self._open:
                self._open[key] = _open(weights, file, execution, precision, build)
            return self._open[key]

    def close(self, weights: Weights, file: str, execution: Execution) -> None:
        """Forget a network that is not needed again soon; its memory goes with its last user."""
        with self._lock:
            self._open.pop(_identify(weights, file, execution), None)


NETWORKS = OnnxNetworks()
"""One per process: batches reuse what the first video loaded."""


def plan_network(
    weights: Weights, file: str, execution: Execution, *, precision: str = "float32"
) -> ModelUsed:
    """Return the row of `models_used` that opening this network would give unless it falls back.

    Raises:
        MissingExtraError: onnxruntime is not installed.
    """
    import onnxruntime

    device, providers, _ = _choose_providers(
        execution.device, onnxruntime.get_available_providers()
    )
    return _describe(weights, file, precision, engine=providers[0], device=device)


def find_missing_onnxruntime() -> str | None:
    """Return None when onnxruntime can be imported, else the sentence with the command."""
    import importlib.util  # noqa: PLC0415 - nothing else here needs it

    if importlib.util.find_spec("onnxruntime") is not None:
        return None
    return 'onnxruntime is not installed. Run: pip install "filmcan[models]"'


def _open(
    weights: Weights,
    file: str,
    execution: Execution,
    precision: str,
    build: Callable[[Path], bytes] | None,
) -> OnnxNetwork:
    missing = find_missing_onnxruntime()
    if missing is not None:
        raise MissingExtraError(missing, where=weights.name)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = execution.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    device, providers, notes = _choose_providers(
        execution.device, onnxruntime.get_available_providers()
    )
    graph = str(weights.files[file]) if build is None else build(weights.files[file])
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # onnxruntime's own errors have no common base
        raise AssetError(
            f"onnxruntime cannot open it: {' '.join(str(error).split())[:300]}",
            where=f"{weights.name}: {file}",
            hint="Check the file: filmcan models verify " + weights.name,
        ) from error
    engine = session.get_providers()[0]
    if engine != providers[0]:
        notes = (*notes, f"{weights.name}: {device} refused; it ran on the CPU.")
        device = CPU
    used = _describe(weights, file, precision, engine=engine, device=device)
    return OnnxNetwork(session, used, notes)


def _describe(
    weights: Weights, file: str, precision: str, *, engine: str, device: str
) -> ModelUsed:
    import onnxruntime

    return weights.describe(
        file,
        runtime=f"onnxruntime {onnxruntime.__version__}",
        engine=engine,
        precision=precision,
        device=device,
    )


def _choose_providers(
    wanted: str, available: Sequence[str]
) -> tuple[str, list[str], tuple[str, ...]]:
    """Return the device to report, the providers to ask for, and a note on a fallback."""
    if wanted == AUTO:
        device = next((name for name in _AUTO_DEVICES if _PROVIDERS[name] in available), CPU)
    else:
        device = wanted
    if device == CPU:
        return CPU, [_CPU_PROVIDER], ()
    provider = _PROVIDERS.get(device)
    if provider is None or provider not in available:
        return CPU, [_CPU_PROVIDER], (f"{device} is not available here; the CPU was used.",)
    return device, [provider, _CPU_PROVIDER], ()


def _describe_tensor(node: Any) -> Tensor:  # noqa: ANN401 - onnxruntime is untyped
    shape = tuple(axis if isinstance(axis, int) else None for axis in node.shape)
    return Tensor(node.name, shape, node.type)
