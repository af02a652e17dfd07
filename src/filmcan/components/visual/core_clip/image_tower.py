"""Pictures -> unit vectors, by CLIP's image tower, in batches.

Called by `component.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.network_form import FLOATS, get_tensor, open_network
from filmcan.components.unit_vectors import scale_to_unit
from filmcan.components.visual.core_clip.picture_input import SIDE_PX, prepare_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filmcan.models.execution import Execution
    from filmcan.models.weights import Weights

VISION_FILE = "vision_model.onnx"


class ImageTower:
    """Embeds pictures one after another, several at once.

    Attributes:
        used: What runs.
        notes: Sentences for the manifest.
    """

    def __init__(self, weights: Weights, execution: Execution) -> None:
        """Open the network.

        Raises:
            MissingExtraError: onnxruntime is not installed.
            AssetError: The network is not of the documented form.
        """
        self._where = f"{weights.name}: {VISION_FILE}"
        self._network = open_network(weights, VISION_FILE, execution)
        self.used = self._network.used
        self.notes = self._network.notes
        form = (None, 3, SIDE_PX, SIDE_PX)
        taken = get_tensor(self._network.inputs, "pixel_values", form, FLOATS, self._where)
        get_tensor(self._network.outputs, "image_embeds", (None, None), FLOATS, self._where)
        self._has_free_batch = taken.shape[0] is None
        size = taken.shape[0] or execution.batch_size
        self._batch = np.zeros((size, 3, SIDE_PX, SIDE_PX), np.float32)
        self._waiting = 0
        self._found: list[NDArray[np.float32]] = []

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Take the next picture, uint8[h, w, 3], RGB."""
        self._batch[self._waiting] = prepare_picture(picture)
        self._waiting += 1
        if self._waiting == len(self._batch):
            self._run()

    def finish(self) -> NDArray[np.float32]:
        """Return the embeddings of all pictures taken, at least one: float32[K, D], length 1.

        Raises:
            ComponentFailedError: The network gave a vector that is zero or not finite.
        """
        if self._waiting:
            self._run()
        return np.concatenate(self._found)

    def _run(self) -> None:
        pictures = self._batch[: self._waiting] if self._has_free_batch else self._batch
        found = self._network.run({"pixel_values": pictures}, ["image_embeds"])["image_embeds"]
        self._found.append(scale_to_unit(found[: self._waiting], self._where))
        self._waiting = 0
