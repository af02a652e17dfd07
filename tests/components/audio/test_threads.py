"""Results do not depend on how many threads numpy's linear algebra takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import filmcan

_SCRIPT = """
import hashlib
from filmcan.components.catalog import get_component_class
from filmcan.testing.component_suite import get_default_parameters
from filmcan.testing.fake_media import FakeSound, build_inputs
from filmcan.testing.made_sound import add_noise, hat, kick, make_beats, snare
sound = add_noise(make_beats(22050, 6.0, 111.0, [kick, hat, snare, hat]), 15.0)
for name in ("loudness_extractor", "tempo_extractor"):
    component = get_component_class(name)(get_default_parameters(name))
    arrays = component.run(build_inputs(sound=FakeSound(sound, 22050))).arrays
    plain = [array.tobytes() for array in arrays.values() if not array.dtype.hasobject]
    print(name, hashlib.sha256(b"".join(plain)).hexdigest())
"""


def test_one_thread_and_several_give_the_same_bytes() -> None:
    seen = set()
    for threads in ("1", "4"):
        environment = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": threads,
            "PYTHONPATH": str(Path(filmcan.__file__).parent.parent),
        }
        ended = subprocess.run(
            [sys.executable, "-c", _SCRIPT], env=environment, capture_output=True, check=True
        )
        seen.add(ended.stdout)
    assert len(seen) == 1
    assert seen.pop().count(b"_extractor") == 2
