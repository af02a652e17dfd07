"""Which detector runs: named in the profile, or the best of those that are on this machine.

Called by `component.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmcan.components.visual.core_object_detections.ssd import SsdDetector
from filmcan.components.visual.core_object_detections.yolox import YoloxDetector
from filmcan.errors import AssetError
from filmcan.models import onnx_network, tflite_network
from filmcan.models.catalog import load_catalog
from filmcan.models.fetch import build_pull_command
from filmcan.models.onnx_network import NETWORKS, find_missing_onnxruntime
from filmcan.models.tflite_network import TFLITE_NETWORKS, find_missing_litert
from filmcan.models.weights import find_missing_weights, get_weights

if TYPE_CHECKING:
    from collections.abc import Iterable

    from filmcan.components.visual.core_object_detections.detection import ObjectDetector
    from filmcan.contract.model_used import ModelUsed
    from filmcan.models.execution import Execution

DEFAULT = "yolox_tiny"
FALLBACK = "ssd_mobilenetv2_oidv4"
"""What the package registries alone can provide: fewer and coarser classes."""

_ONNX = ".onnx"
_TFLITE = ".tflite"
_LABELS = "labelmap.txt"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is kept of what a network says, all 0..1 but the last.

    Attributes:
        yolox_min_score: YOLOX: boxes below this score are dropped.
        yolox_nms_iou: Of boxes of one class that overlap by more, the best stays.
        ssd_min_score: SSD: likewise.
        ssd_nms_iou: Of boxes of any class that overlap by more, the best stays.
        max_objects: Of one picture at most so many, the best.
    """

    yolox_min_score: float
    yolox_nms_iou: float
    ssd_min_score: float
    ssd_nms_iou: float
    max_objects: int


def choose_model() -> str:
    """Return what `auto` means on this machine: the first that can run, else the default."""
    able = (name for name in (DEFAULT, FALLBACK) if _find_missing(name) is None)
    return next(able, DEFAULT)


def find_missing_model(name: str) -> str | None:
    """Return None when a model can run, else a sentence that ends with the command.

    Raises:
        NotFoundError: The catalog has no such model.
    """
    missing = _find_missing(name)
    if name != DEFAULT or missing is None or missing == find_missing_onnxruntime():
        return missing
    return (
        f"{missing}. Or, for {FALLBACK} with 23 coarser classes, which model: auto then takes: "
        f"{build_pull_command(FALLBACK)}"
    )


@contextmanager
def opened_detector(
    name: str, thresholds: Thresholds, execution: Execution
) -> Iterator[ObjectDetector]:
    """Lend a model to the calling thread, ready to run: YOLOX for an ONNX graph, else SSD.

    Raises:
        NotFoundError: Its weights are not in the cache.
        AssetError: Its network has another form.
    """
    weights = get_weights(name)
    graph = _find_file(weights.files, _ONNX)
    if graph is not None:
        yield YoloxDetector(
            NETWORKS.open(weights, graph, execution),
            min_score=thresholds.yolox_min_score,
            nms_iou=thresholds.yolox_nms_iou,
            max_objects=thresholds.max_objects,
        )
        return
    network = _find_file(weights.files, _TFLITE)
    if network is None or _LABELS not in weights.files:
        raise AssetError(
            f"expected one {_ONNX} file, or one {_TFLITE} file and {_LABELS}, "
            f"got {', '.join(weights.files)}",
            code="network_form",
            where=name,
            hint=f"Models that do: {DEFAULT}, yolox_nano, yolox_s, {FALLBACK}.",
        )
    with TFLITE_NETWORKS.borrow(weights, network, execution) as lent:
        yield SsdDetector(
            lent,
            weights.files[_LABELS].read_text(encoding="utf-8").splitlines(),
            min_score=thresholds.ssd_min_score,
            nms_iou=thresholds.ssd_nms_iou,
            max_objects=thresholds.max_objects,
        )


def plan_detector(name: str, execution: Execution) -> ModelUsed:
    """Return the row of `models_used` that `opened_detector` would give.

    Raises:
        NotFoundError: Its weights are not in the cache.
        AssetError: It has no network.
    """
    weights = get_weights(name)
    graph = _find_file(weights.files, _ONNX)
    if graph is not None:
        return onnx_network.plan_network(weights, graph, execution)
    network = _find_file(weights.files, _TFLITE)
    if network is None:
        raise AssetError(
            "it holds no network", code="network_form", where=name,
            hint=f"Models that do: {DEFAULT}, yolox_nano, yolox_s, {FALLBACK}.",
        )  # fmt: skip
    return tflite_network.plan_network(weights, network)


def _find_missing(name: str) -> str | None:
    files = [file.path for file in load_catalog().get(name).files]
    is_onnx = _find_file(files, _ONNX) is not None
    runtime = find_missing_onnxruntime() if is_onnx else find_missing_litert()
    return runtime or find_missing_weights(name)


def _find_file(files: Iterable[str], ending: str) -> str | None:
    return next((file for file in files if file.endswith(ending)), None)
