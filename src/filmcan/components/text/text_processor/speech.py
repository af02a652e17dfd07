"""Speech -> a transcript, by faster-whisper on weights of the catalog; nothing is downloaded.

Called by `component.py` when the profile asks for it and no other transcript is there. The sound is
taken in windows of some minutes, each cut where it is quietest, so that memory does not grow with
the video and no word is torn. All settings are fixed: the same sound gives the same text.
Source: docs/models.md section 9.
"""

from __future__ import annotations

import importlib.metadata
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.audio.chunks import SoundChunks
from filmcan.components.network_form import find_missing_part
from filmcan.contract.model_used import ModelUsed
from filmcan.media.document import Segment, Transcript
from filmcan.media.sound import SoundRequest
from filmcan.models.cache import hash_file
from filmcan.models.weights import Weights, get_weights

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from numpy.typing import NDArray

    from filmcan.media.sound import SoundStream
    from filmcan.models.execution import Execution

RATE_HZ = 16_000
REQUEST = SoundRequest(rate_hz=RATE_HZ, mono=True)

WEIGHTS_FILE = "model.bin"
FILES = (WEIGHTS_FILE, "config.json", "tokenizer.json", "vocabulary.txt")

TRANSCRIBE_OPTIONS: dict[str, object] = {
    "task": "transcribe",
    "beam_size": 5,
    "temperature": 0.0,
    "condition_on_previous_text": False,
    "vad_filter": True,
    "without_timestamps": False,
}
"""One temperature: the library's list of them would sample at random where a window is hard."""

COMPUTE_TYPE = "int8"

WINDOW_SEC = 300
CHUNK_SEC = 10
"""A window is cut within its last chunk."""

_QUIET_SAMPLES = RATE_HZ // 5
_PACKAGE = "faster_whisper"
_DISTRIBUTION = "faster-whisper"


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said.

    Attributes:
        transcript: None when nobody speaks.
        used: What ran.
    """

    transcript: Transcript | None
    used: tuple[ModelUsed, ...]


def find_missing_speech(model: str) -> str | None:
    """Return None when speech can be recognised, else the sentence that ends with the command.

    Raises:
        NotFoundError: The catalog has no such asset.
        BadProfileError: It is an asset of another kind.
    """
    return find_missing_part(model, FILES, _PACKAGE, extra="asr")


def plan_speech(model: str) -> tuple[ModelUsed, ...]:
    """Return the rows of `models_used` that recognising speech would give.

    Raises:
        NotFoundError: A file is not in the cache.
    """
    return _describe(get_weights(model))


def recognise_speech(sound: SoundStream, model: str, execution: Execution) -> Heard:
    """Return what is said in a sound.

    Windows without speech never reach the network: it would make words up.

    Args:
        sound: As `REQUEST` asks for it.
        model: Name of the asset.
        execution: Threads; the network runs on the CPU, where its numbers can be had again.
    """
    from faster_whisper.vad import get_speech_timestamps

    weights = get_weights(model)
    chunks = SoundChunks(sound, CHUNK_SEC * RATE_HZ)
    segments: list[Segment] = []
    language: str | None = None
    for start, window in _cut_windows(chunks):
        if not get_speech_timestamps(window):
            continue
        network = WHISPERS.open(weights, execution.threads)
        found, info = network.transcribe(window, language=language, **TRANSCRIBE_OPTIONS)
        spoken = [(item.start, item.end, item.text.strip()) for item in found]
        spoken = [item for item in spoken if item[2]]
        if spoken:
            language = info.language
        segments += _place(spoken, start, window.size, chunks)
    used = _describe(weights)
    if not segments:
        return Heard(None, used)
    return Heard(Transcript(tuple(segments), "asr", language), used)


class Whispers:
    """The speech networks that are open, each loaded once."""

    def __init__(self) -> None:
        """Start with none."""
        self._open: dict[tuple[str, int], WhisperModel] = {}
        self._lock = threading.Lock()

    def open(self, weights: Weights, threads: int) -> WhisperModel:
        """Return a network, loading it when it is not loaded yet."""
        key = (weights.digests[WEIGHTS_FILE], threads)
        with self._lock:
            if key not in self._open:
                self._open[key] = _load(weights, threads)
            return self._open[key]


WHISPERS = Whispers()
"""One per process, like the networks of onnxruntime."""


def _load(weights: Weights, threads: int) -> WhisperModel:
    """Load from a folder that looks as the library expects it: the cache names files by digest."""
    from faster_whisper import WhisperModel

    with TemporaryDirectory() as folder:
        for name in FILES:
            Path(folder, name).symlink_to(weights.files[name])
        return WhisperModel(
            folder,
            device="cpu",
            compute_type=COMPUTE_TYPE,
            cpu_threads=threads,
            num_workers=1,
            local_files_only=True,
        )


def _cut_windows(chunks: SoundChunks) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (number of the first sample, float32[n]) of each window, in order, without gaps."""
    held: list[NDArray[np.float32]] = []
    start = 0
    for chunk in chunks:
        held.append(chunk[0].copy())
        if sum(part.size for part in held) >= WINDOW_SEC * RATE_HZ:
            window = np.concatenate(held)
            cut = window.size - held[-1].size + _find_quietest(held[-1])
            yield start, window[:cut]
            held = [window[cut:]]
            start += cut
    rest = np.concatenate(held) if held else np.empty(0, np.float32)
    if rest.size:
        yield start, rest


def _find_quietest(samples: NDArray[np.float32]) -> int:
    """Return the middle of the quietest fifth of a second."""
    energy = np.cumsum(samples.astype(np.float64) ** 2)
    stretches = energy[_QUIET_SAMPLES:] - energy[:-_QUIET_SAMPLES]
    return int(stretches.argmin()) + _QUIET_SAMPLES // 2 if stretches.size else samples.size


def _place(
    spoken: list[tuple[float, float, str]], start: int, length: int, chunks: SoundChunks
) -> Iterator[Segment]:
    """Yield segments with their times in the video."""
    for start_sec, end_sec, text in spoken:
        samples = np.clip(np.array([start_sec, end_sec]) * RATE_HZ, 0, length).astype(np.int64)
        begin, end = chunks.times_at(start + samples).tolist()
        yield Segment(text, begin, max(begin, end))


def _describe(weights: Weights) -> tuple[ModelUsed, ...]:
    """Return what runs: the network, and the finder of speech that comes with the package."""
    from faster_whisper.utils import get_assets_path

    version = importlib.metadata.version
    engine = f"{_DISTRIBUTION} {version(_DISTRIBUTION)}"
    finder = max(Path(get_assets_path()).glob("*vad*.onnx"))
    return (
        weights.describe(
            WEIGHTS_FILE,
            runtime=f"ctranslate2 {version('ctranslate2')}",
            engine=engine,
            precision=COMPUTE_TYPE,
            device="cpu",
        ),
        ModelUsed(
            model_name=finder.stem,
            model_version=version(_DISTRIBUTION),
            weights_digest=f"sha256:{hash_file(finder)}",
            runtime=f"onnxruntime {version('onnxruntime')}",
            engine=engine,
            precision="float32",
            device="cpu",
        ),
    )
