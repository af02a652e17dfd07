"""Write log_mel.npz: spectrograms by the reference, to hold ours against without it.

Run in the environment of `make parity`, which has the reference:
    .venv-parity/bin/python tests/data/clap/make_golden.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import transformers
from transformers.models.clap import ClapFeatureExtractor

from filmcan.testing.made_sound import CLAP_SETTINGS, build_clap_signals

EVERY = 37
"""So many frames apart, from the first on; the last one is kept as well."""


def main() -> None:
    """Compute and write the file."""
    extractor = ClapFeatureExtractor(**CLAP_SETTINGS)
    kept: dict[str, np.ndarray] = {"frames": np.unique([*range(0, 1001, EVERY), 1000])}
    for name, samples in build_clap_signals().items():
        found = extractor(samples, sampling_rate=48_000, return_tensors="np")["input_features"]
        kept[name] = np.asarray(found, np.float32)[0, 0][kept["frames"]]
    kept["made_with"] = np.array(f"transformers {transformers.__version__}")
    np.savez_compressed(Path(__file__).with_name("log_mel.npz"), **kept)


if __name__ == "__main__":
    main()
