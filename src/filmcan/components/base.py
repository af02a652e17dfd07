"""What a component is: media in, arrays and a status out.

A component is pure. It writes no file, stamps no identity, knows neither clock nor store: the
runner builds the meta and the store commits. It may run beside others in a thread of its own,
so it shares no mutable state. Called by the pipeline; must not know it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from filmcan.contract.model_used import ModelUsed
from filmcan.models.execution import Execution

if TYPE_CHECKING:
    import numpy as np

    from filmcan.contract.manifest import Kind
    from filmcan.media.document import TextSources
    from filmcan.media.frames import FrameRequest, FrameStream
    from filmcan.media.probe import Probe
    from filmcan.media.sound import SoundRequest, SoundStream

Parameters = Mapping[str, object]
"""A component's section of the resolved profile, without `enabled` and `required`."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a component measured on one video.

    Attributes:
        status: `ok` or `empty`; a failure is raised, never returned.
        arrays: Key -> array, exactly the keys of the schema except `meta` and `meta_json`. With
            status `empty`, keys left out are filled with the schema's empty form (masks False,
            floats NaN or zero-length, strings ""), so a component may return none at all.
        empty_reason: Why it is empty (C6.3); None exactly when status is `ok`.
        models_used: What networks ran; empty for components without weights.
        notes: Sentences for the manifest, for people.
        extra_meta: Meta keys beyond the contract's, those that the schema's `extra_meta` allows.
    """

    status: Literal["ok", "empty"]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    empty_reason: str | None = None
    models_used: tuple[ModelUsed, ...] = ()
    device_used: str = "cpu"
    notes: tuple[str, ...] = ()
    extra_meta: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Need:
    """That a component builds on what another one measured on the same video.

    Attributes:
        component: Name of the other.
        required: True: without it there is nothing to measure, and the pipeline says so (C6.6).
            False: it is used where it ended ok.
    """

    component: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Resources:
    """What a component takes while it runs, beside the one thread that is its own.

    Attributes:
        cpus: Cores that it keeps busy.
        gpus: Share of an accelerator, where the profile lets it use one.
        memory_mib: About how much memory it needs beside the others, weights included; estimated
            from the size of its weights, for 720p sources.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory_mib: int = 100


@dataclass(frozen=True, slots=True)
class Needed:
    """What another component measured.

    Attributes:
        arrays: Key -> array, as in its artifact; not to be changed.
        schema_version: The rules they satisfy.
    """

    arrays: Mapping[str, np.ndarray]
    schema_version: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a component is given; a part it did not ask for is None.

    Attributes:
        probe: What the source is: container, streams, duration.
        frames: Sampled frames, in time order, when `frame_request` asked and the source has a
            video stream that decodes.
        sound: Blocks of sound, in time order, when `sound_request` asked and the source has an
            audio stream that decodes.
        text: Document, side-cars and subtitles, for components of kind text.
        seed: Seed for anything random.
        execution: Device and threads for networks.
        needed: What other components measured on this video: all of `needs` that ended ok, by
            name. A required one is always there.
    """

    probe: Probe
    frames: FrameStream | None
    sound: SoundStream | None
    text: TextSources | None
    seed: int
    execution: Execution = field(default_factory=Execution)
    needed: Mapping[str, Needed] = field(default_factory=dict)


class Component(ABC):
    """Base of all components. One instance serves one run with fixed parameters.

    Class attributes:
        name: As in the manifest and in the folder name, for example `loudness_extractor`.
        kind: `core`, `module`, `audio` or `text`.
        schema_version: The machine schema its artifacts satisfy.
        producer_version: Changes whenever the numbers may change.
        needs_media: False for a component that also runs on a source without the frames or the
            sound it asked for; it is then given None in their place.
        needs: The components whose artifacts it builds on.
        resources: What it takes to run, for engines that place work on machines.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind]
    schema_version: ClassVar[str]
    producer_version: ClassVar[str]
    needs_media: ClassVar[bool] = True
    needs: ClassVar[tuple[Need, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __init__(self, parameters: Parameters) -> None:
        """Check the parameters.

        Raises:
            BadProfileError: A parameter is out of range; the message names it.
        """
        self.parameters = dict(parameters)

    @classmethod
    def resolve_parameters(cls, parameters: Parameters) -> Parameters:
        """Return the parameters with this machine's choice in the place of every `auto`.

        The plan asks before anything is hashed, when a parameter is the text `auto`, so that the
        profile in the manifest, config_hash and the reuse key tell what really runs (C11.1).
        """
        return parameters

    def find_missing_dependency(self) -> str | None:
        """Return None when the component can run, else the sentence for the notes.

        The sentence ends with the exact command that would provide what is missing. The run
        then records `empty: dependency_missing` without decoding anything for this component.
        """
        return None

    def find_missing_option(self) -> str | None:
        """Return None when all of the component can run, else the sentence for the error.

        Asked when the profile requires the component: then nothing that it has switched on may be
        absent, though it could go on without (C6.6, the embedder's weights).
        """
        return None

    def plan_models(self, execution: Execution) -> tuple[ModelUsed, ...]:
        """Return the rows of `models_used` that a run on this machine would record.

        Asked before anything is decoded, where nothing is missing: a result is found again by
        it (C11.3). A run may use fewer of them; one that uses another, after a fallback, is
        known by what it used.

        Raises:
            FilmcanError: It cannot be known; nothing is reused then.
        """
        del execution
        return ()

    def frame_request(self) -> FrameRequest | None:
        """Return which frames are needed and in what form; None: no frames."""
        return None

    def sound_request(self) -> SoundRequest | None:
        """Return what form of sound is needed; None: no sound."""
        return None

    @abstractmethod
    def run(self, inputs: Inputs) -> Result:
        """Measure one video.

        `inputs.frames` and `inputs.sound` are consumed once, from this call's own thread. A
        component that stops early simply returns; the rest is drained for it.

        Raises:
            Exception: Whatever goes wrong becomes this component's manifest record (C6.4).
        """
