"""Pictures -> relative inverse depth, by MiDaS v2.1 small.

Called by `component.py`. Owns the resizing of the reference, which is OpenCV's.
Source: isl-org/MiDaS, `tf/run_onnx.py`: RGB in 0..1, squashed to 256x256, bicubic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.network_form import FLOATS, get_tensor, open_network
from filmcan.components.visual.core_depth_midas.normalization import (
    MEAN,
    STD,
    find_normalization,
)
from filmcan.errors import AssetError, ComponentFailedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filmcan.models.execution import Execution
    from filmcan.models.weights import Weights

DEPTH_FILE = "model-small.onnx"
SIDE_PX = 256


class DepthNetwork:
    """Measures one picture at a time, which is all that the released file takes.

    Attributes:
        used: What runs.
        notes: Sentences for the manifest.
        normalization: `graph` when the network normalises its pictures itself, else `host`.
    """

    def __init__(self, weights: Weights, execution: Execution) -> None:
        """Open the network.

        Raises:
            MissingExtraError: onnxruntime is not installed.
            AssetError: The network is not of the documented form.
        """
        self._where = where = f"{weights.name}: {DEPTH_FILE}"
        self._network = open_network(weights, DEPTH_FILE, execution)
        self.used = self._network.used
        self.notes = self._network.notes
        inputs, outputs = self._network.inputs, self._network.outputs
        if len(inputs) != 1 or len(outputs) != 1:
            raise AssetError(
                f"expected one input and one output, got {len(inputs)} and {len(outputs)}",
                code="network_form",
                where=where,
            )
        self._input, self._output = inputs[0].name, outputs[0].name
        get_tensor(inputs, self._input, (1, 3, SIDE_PX, SIDE_PX), FLOATS, where)
        get_tensor(outputs, self._output, (1, SIDE_PX, SIDE_PX), FLOATS, where)
        self.normalization = find_normalization(weights.files[DEPTH_FILE], where)

    def measure(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the depth map of a picture.

        Args:
            picture: uint8[h, w, 3], RGB.

        Returns:
            float32[256, 256], relative inverse depth: larger is nearer. The picture is squashed.

        Raises:
            ComponentFailedError: The network gave values that are not finite.
        """
        pixels = prepare_picture(picture)
        if self.normalization == "host":
            pixels = ((pixels - MEAN[:, None, None]) / STD[:, None, None]).astype(np.float32)
        depth = self._network.run({self._input: pixels[None]})[self._output][0]
        if not np.isfinite(depth).all():
            raise ComponentFailedError(
                "the network gave a depth that is not finite",
                where=self._where,
                hint="Check the weights: they may be damaged or of another network.",
            )
        return depth


def prepare_picture(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a picture squashed to the network's size: float32[3, 256, 256], about 0..1.

    Args:
        picture: uint8[h, w, 3], RGB.
    """
    import cv2

    pixels = picture.astype(np.float32) / np.float32(255)
    squashed = cv2.resize(pixels, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(squashed.transpose(2, 0, 1))
