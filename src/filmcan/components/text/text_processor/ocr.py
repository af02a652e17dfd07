"""Text in a picture, read by rapidocr on weights of the catalog; nothing is ever downloaded.

Called by `seen_text.py`. The weights lie in rapidocr's own wheel as well as in the model cache:
either will do where size and digest are those of the catalog.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from filmcan.models.cache import hash_file
from filmcan.models.catalog import load_catalog
from filmcan.models.weights import Weights, find_missing_weights, find_weights, get_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filmcan.contract.model_used import ModelUsed
    from filmcan.models.execution import Execution

MODEL = "rapidocr_ppocr"
DETECTION = "PP-OCRv6_det_small.onnx"
RECOGNITION = "PP-OCRv6_rec_small.onnx"
ORIENTATION = "ch_ppocr_mobile_v2.0_cls_mobile.onnx"

MAX_SIDE = 4096
"""Longer sides are thinned out; no real picture shrunk to ocr_max_width has one."""

MAX_RATIO = 4
"""Of the sides of a picture, as the detector is given it."""

_PACKAGE = "rapidocr"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text in a picture.

    Attributes:
        text: What it says.
        score: Mean confidence of its characters, 0..1.
        box: Left, top, right, bottom of the upright box around it, fractions of width and height.
    """

    text: str
    score: float
    box: tuple[float, float, float, float]


def find_missing_ocr() -> str | None:
    """Return None when text can be read, else the sentence that ends with the command."""
    if importlib.util.find_spec(_PACKAGE) is None:
        return f'{_PACKAGE} is not installed. Run: pip install "filmcan[ocr]"'
    return None if _find_ocr_weights() is not None else find_missing_weights(MODEL)


def plan_reader() -> tuple[ModelUsed, ...]:
    """Return the rows of `models_used` that `open_reader` would give; none without weights."""
    weights = _find_ocr_weights()
    return () if weights is None else _describe(weights)


def _describe(weights: Weights) -> tuple[ModelUsed, ...]:
    return tuple(
        weights.describe(
            file,
            runtime=f"onnxruntime {importlib.metadata.version('onnxruntime')}",
            engine=f"{_PACKAGE} {importlib.metadata.version(_PACKAGE)}",
            precision="float32",
            device="cpu",
        )
        for file in (DETECTION, ORIENTATION, RECOGNITION)
    )


class TextReader:
    """The open networks: text detection, orientation, recognition.

    Attributes:
        used: What runs.
    """

    def __init__(self, weights: Weights, threads: int) -> None:
        """Prepare; the networks are opened with the first picture."""
        from rapidocr import RapidOCR

        files = {DETECTION: "Det", ORIENTATION: "Cls", RECOGNITION: "Rec"}
        parameters: dict[str, object] = {
            f"{section}.model_path": str(weights.files[file]) for file, section in files.items()
        }
        parameters |= {
            "Global.log_level": "critical",
            "Global.text_score": 0.0,  # the profile's threshold is applied by the caller
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
        self._engine: Any = RapidOCR(params=parameters)  # returns one of four types
        self._lock = threading.Lock()
        self.used = _describe(weights)

    def read(self, picture: np.ndarray) -> Sequence[Line]:
        """Return the lines of a picture, from top to bottom.

        Args:
            picture: uint8[h, w, 3], RGB.
        """
        picture = _thin_out(picture)
        height, width = picture.shape[:2]
        with self._lock:
            found = self._engine(np.ascontiguousarray(_pad(picture)[..., ::-1]))
        if found.txts is None or found.boxes is None or found.scores is None:
            return ()
        sides = np.array([width, height], np.float64)
        lines = []
        for text, score, corners in zip(found.txts, found.scores, found.boxes, strict=True):
            places = np.clip(np.asarray(corners, np.float64) / sides, 0.0, 1.0)
            (left, top), (right, bottom) = places.min(axis=0), places.max(axis=0)
            lines.append(Line(text, min(float(score), 1.0), (left, top, right, bottom)))
        return lines


def _thin_out(picture: np.ndarray) -> np.ndarray:
    """Return a picture no side of which is absurdly long, by leaving out rows and columns."""
    step = -(-max(picture.shape[:2]) // MAX_SIDE)
    return picture[::step, ::step]


def _pad(picture: np.ndarray) -> np.ndarray:
    """Return a picture with black below or to the right, so that it is no thin strip.

    The detector enlarges the shorter side to 736 pixels, and the longer one with it: a strip of
    400 by 1 would become 294400 pixels wide, and take minutes and gigabytes.
    """
    height, width = picture.shape[:2]
    below = max(0, -(-width // MAX_RATIO) - height)
    right = max(0, -(-height // MAX_RATIO) - width)
    return np.pad(picture, ((0, below), (0, right), (0, 0)))


def open_reader(execution: Execution) -> TextReader:
    """Return the reader, opened once per process.

    Raises:
        NotFoundError: The weights are neither in the cache nor in the package.
    """
    weights = _find_ocr_weights() or get_weights(MODEL)
    files = tuple(sorted((name, str(place)) for name, place in weights.files.items()))
    with _OPENING:
        return _open_reader(files, execution.threads)


_OPENING = threading.Lock()


@functools.cache
def _open_reader(files: tuple[tuple[str, str], ...], threads: int) -> TextReader:
    asset = load_catalog().get(MODEL)
    digests = {file.path: file.sha256 for file in asset.files if file.sha256 is not None}
    places = {name: Path(place) for name, place in files}
    weights = Weights(asset.name, asset.version, asset.license, places, digests)
    return TextReader(weights, threads)


def _find_ocr_weights() -> Weights | None:
    """Return the weights from the cache, else from the installed package."""
    cached = find_weights(MODEL)
    if cached is not None:
        return cached
    asset = load_catalog().get(MODEL)
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "models"
    files = {file.path: folder / file.path for file in asset.files}
    digests = {file.path: file.sha256 for file in asset.files if file.sha256 is not None}
    if any(_hash(files[path]) != digest for path, digest in digests.items()):
        return None
    return Weights(asset.name, asset.version, asset.license, files, digests)


@functools.cache
def _hash(file: Path) -> str | None:
    """Return the digest of a file of the package, read once per process; None: not there."""
    return hash_file(file) if file.is_file() else None
