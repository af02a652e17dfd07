"""What goes beyond counting the text that comes with a video: text in the picture, speech, meaning.

Called by `component.py`. Each may be switched off, lack a package or weights, have nothing to look
at, or find nothing; all of that is told by a reason, and none of it disturbs the other sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from filmcan.components.text.text_processor.embedder import Embedder, find_missing_embedder
from filmcan.components.text.text_processor.ocr import find_missing_ocr, open_reader
from filmcan.components.text.text_processor.seen_text import SeenText, read_frames
from filmcan.components.text.text_processor.sources import (
    EMBEDDER_DISABLED,
    OCR_DISABLED,
    SPEECH_MISSING,
)
from filmcan.components.text.text_processor.speech import find_missing_speech, recognise_speech
from filmcan.contract.missing import AUDIO_MISSING, DEPENDENCY_MISSING, NO_TEXT, VIDEO_MISSING
from filmcan.errors import BadMediaError
from filmcan.media.document import Transcript
from filmcan.models.weights import get_weights

if TYPE_CHECKING:
    from filmcan.components.base import Inputs
    from filmcan.components.text.text_processor.embeddings import EmbeddingRules
    from filmcan.contract.model_used import ModelUsed
    from filmcan.models.execution import Execution

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """One thing that was tried.

    Attributes:
        found: What came of it; None when it could not be tried, or there is nothing.
        reason: Why nothing came of it; `""` when something did.
        used: What networks ran.
        notes: Sentences for the manifest.
    """

    found: T | None
    reason: str = ""
    used: tuple[ModelUsed, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OcrRules:
    """How text in the picture is looked for.

    Attributes:
        enabled: Whether at all.
        every: At each so-manieth instant of the timeline.
        max_width: Wider pictures are shrunk to this width.
        min_score: Lines below this confidence are not there.
    """

    enabled: bool
    every: int
    max_width: int
    min_score: float


@dataclass(frozen=True, slots=True)
class SpeechRules:
    """How speech is recognised.

    Attributes:
        enabled: Whether at all.
        model: Name of the asset.
    """

    enabled: bool
    model: str


def look_for_text(inputs: Inputs, rules: OcrRules) -> Attempt[SeenText]:
    """Read the text in sampled frames.

    What was looked at is returned also when it holds no text.
    """
    if not rules.enabled:
        return Attempt(None, OCR_DISABLED)
    missing = find_missing_ocr()
    if missing is not None:
        return Attempt(None, DEPENDENCY_MISSING, notes=(f"Text in the picture: {missing}",))
    if inputs.frames is None:
        return Attempt(None, VIDEO_MISSING)
    reader = open_reader(inputs.execution)
    try:
        seen = read_frames(inputs.frames, reader.read, rules.min_score)
    except BadMediaError as error:
        return Attempt(None, VIDEO_MISSING, notes=(f"Text in the picture: {error}",))
    notes: tuple[str, ...] = ()
    if seen.dropped:
        notes = (f"ocr: {seen.dropped} sightings of further lines were left out.",)
    return Attempt(seen, "" if seen.lines else NO_TEXT, reader.used if seen.decoded else (), notes)


def listen_for_speech(inputs: Inputs, rules: SpeechRules) -> Attempt[Transcript]:
    """Return what the video says of itself in speech: its own transcript, else what is heard."""
    given = None if inputs.text is None else inputs.text.transcript
    if given is not None or not rules.enabled:
        if inputs.sound is not None:
            inputs.sound.close()
        return Attempt(given, "" if given is not None else NO_TEXT)
    missing = find_missing_speech(rules.model)
    if missing is not None:
        return Attempt(None, SPEECH_MISSING, notes=(f"Speech: {missing}",))
    if inputs.sound is None:
        return Attempt(None, AUDIO_MISSING)
    try:
        heard = recognise_speech(inputs.sound, rules.model, inputs.execution)
    except BadMediaError as error:
        return Attempt(None, AUDIO_MISSING, notes=(f"Speech: {error}",))
    reason = NO_TEXT if heard.transcript is None else ""
    return Attempt(heard.transcript, reason, heard.used)


def open_embedder(rules: EmbeddingRules, execution: Execution) -> Attempt[Embedder]:
    """Open the embedder.

    Raises:
        AssetError: A file of it is damaged, or the network is of another form.
        BadProfileError: The profile names an asset of another kind, or more tokens than it takes.
    """
    if not rules.enabled:
        return Attempt(None, EMBEDDER_DISABLED)
    missing = find_missing_embedder(rules.model)
    if missing is not None:
        return Attempt(None, DEPENDENCY_MISSING, notes=(f"Text embeddings: {missing}",))
    embedder = Embedder(get_weights(rules.model), execution, rules.max_tokens)
    return Attempt(embedder, used=(embedder.used,), notes=embedder.notes)
