"""A stand-in for faster-whisper's model where its weights are not at hand.

Every call is held to the signature of the real class, and what is returned are the library's own
records, so that only the hearing itself is made up.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from faster_whisper import WhisperModel
from faster_whisper.transcribe import Segment, TranscriptionInfo, TranscriptionOptions
from faster_whisper.vad import VadOptions

from filmcan.components.text.text_processor import speech
from filmcan.models.cache import CACHE_VARIABLE
from filmcan.models.catalog import CATALOG_VARIABLE
from filmcan.testing.fixture_networks import pull, write_catalog

if TYPE_CHECKING:
    import numpy as np
    import pytest

Say = Callable[["np.ndarray"], Sequence[tuple[float, float, str]]]
"""A window of sound -> (start, end, text) of what is said in it, seconds into the window."""

WHISPER = "fixture-whisper"
WHISPER_FILES = {
    "model.bin": b"not a network",
    "config.json": b"{}",
    "tokenizer.json": b"{}",
    "vocabulary.txt": b"a\n",
}


def put_in_place(
    patch: pytest.MonkeyPatch, folder: Path, find_speech: Callable[[np.ndarray], Sequence[object]]
) -> type[FakeWhisper]:
    """Put a stand-in of its own in the network's place, with an asset it can be loaded from.

    Args:
        patch: Undoes it all.
        folder: For the asset's files, their catalog and a cache.
        find_speech: Stands in for the VAD: made sounds are no speech to the real one.
    """

    class Whisper(FakeWhisper):
        loads: ClassVar[list[dict[str, Any]]] = []
        calls: ClassVar[list[dict[str, Any]]] = []

    patch.setenv(CATALOG_VARIABLE, str(write_catalog(folder, {WHISPER: WHISPER_FILES})))
    patch.setenv(CACHE_VARIABLE, str(folder / "cache"))
    pull([WHISPER])
    patch.setattr("faster_whisper.WhisperModel", Whisper)
    patch.setattr("faster_whisper.vad.get_speech_timestamps", find_speech)
    patch.setattr(speech, "WHISPERS", speech.Whispers())
    return Whisper


class FakeWhisper:
    """Stands in for `faster_whisper.WhisperModel`; a class of its own for each test.

    Attributes:
        say: What it hears.
        language: What language it hears.
        loads: Arguments of each load, by name.
        calls: Arguments of each transcription, by name.
    """

    say: Say
    language = "en"
    loads: ClassVar[list[dict[str, Any]]]
    calls: ClassVar[list[dict[str, Any]]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the real one's
        """Load: the files must lie in the folder under their own names."""
        bound = inspect.signature(WhisperModel.__init__).bind(self, *args, **kwargs).arguments
        folder = Path(bound["model_size_or_path"])
        for name, content in WHISPER_FILES.items():
            assert (folder / name).read_bytes() == content
        self.loads.append(bound)

    def transcribe(
        self,
        *args: Any,  # noqa: ANN401 - the real one's
        **kwargs: Any,  # noqa: ANN401
    ) -> tuple[Iterator[Segment], TranscriptionInfo]:
        """Hear what `say` says."""
        signature = inspect.signature(WhisperModel.transcribe)
        bound = signature.bind(self, *args, **kwargs).arguments
        self.calls.append(bound)
        audio = bound["audio"]
        said = type(self).say(audio)
        options = dict.fromkeys(inspect.signature(TranscriptionOptions).parameters)
        info = TranscriptionInfo(
            language=bound["language"] or self.language,
            language_probability=0.9,
            duration=len(audio) / 16_000,
            duration_after_vad=len(audio) / 16_000,
            all_language_probs=None,
            transcription_options=TranscriptionOptions(**options),
            vad_options=VadOptions(),
        )
        return (self._build(place, *line) for place, line in enumerate(said)), info

    @staticmethod
    def _build(place: int, start: float, end: float, text: str) -> Segment:
        return Segment(
            id=place,
            seek=0,
            start=start,
            end=end,
            text=f" {text}",
            tokens=[],
            avg_logprob=-0.2,
            compression_ratio=1.0,
            no_speech_prob=0.01,
            words=None,
            temperature=0.0,
        )
