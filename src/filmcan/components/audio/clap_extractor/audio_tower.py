"""Sound -> unit vectors, by CLAP's audio tower.

Called by `component.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from filmcan.components.audio.clap_extractor.log_mel import (
    FLOOR_DB,
    FRAMES,
    MELS,
    compute_log_mel,
    repeat_to_window,
)
from filmcan.components.network_form import FLOATS, get_tensor, open_network
from filmcan.components.unit_vectors import scale_to_unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from filmcan.models.execution import Execution
    from filmcan.models.weights import Weights

AUDIO_FILE = "audio_model.onnx"


class AudioTower:
    """Embeds up to 10 s at a time; one window is held, never the whole sound.

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
        self._where = f"{weights.name}: {AUDIO_FILE}"
        self._network = open_network(weights, AUDIO_FILE, execution)
        self.used = self._network.used
        self.notes = self._network.notes
        form = (1, 1, FRAMES, MELS)
        get_tensor(self._network.inputs, "input_features", form, FLOATS, self._where)
        get_tensor(self._network.outputs, "audio_embeds", (None, None), FLOATS, self._where)

    def embed(self, samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], bool]:
        """Return the embedding of a stretch of sound, and whether the stretch is silent.

        Args:
            samples: float32[n], 1 <= n <= 480000, at 48 kHz.

        Returns:
            float32[D], length 1; True when the spectrogram is at its floor throughout.

        Raises:
            ComponentFailedError: The network gave a vector that is zero or not finite.
        """
        log_mel = compute_log_mel(repeat_to_window(samples))
        is_silent = bool(log_mel.max() <= FLOOR_DB)
        feed = {"input_features": log_mel[None, None]}
        found = self._network.run(feed, ["audio_embeds"])["audio_embeds"]
        return scale_to_unit(found, self._where)[0], is_silent
