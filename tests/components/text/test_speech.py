"""Speech recognition around a stand-in for the network; package and VAD are the real ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from filmcan.components.text.text_processor import speech
from filmcan.components.text.text_processor.speech import (
    RATE_HZ,
    TRANSCRIBE_OPTIONS,
    Heard,
    find_missing_speech,
    recognise_speech,
)
from filmcan.models.execution import Execution
from filmcan.testing.fake_media import FakeSound

pytest.importorskip("faster_whisper")

from filmcan.testing.fake_whisper import WHISPER, FakeWhisper, Say, put_in_place

Hear = Callable[..., tuple[Heard, type[FakeWhisper]]]


@pytest.fixture
def whisper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[FakeWhisper]:
    return put_in_place(monkeypatch, tmp_path, find_loud)


def find_loud(window: np.ndarray) -> list[dict[str, int]]:
    """Stand in for the VAD: made sounds are no speech to the real one."""
    return [{"start": 0, "end": window.size}] if np.abs(window).max() > 0.01 else []


def hear(whisper: type[FakeWhisper], sound: FakeSound, say: Say) -> Heard:
    whisper.say = staticmethod(say)
    return recognise_speech(sound, WHISPER, Execution(threads=2))


def make_noise(seconds: float, **options: object) -> FakeSound:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, round(seconds * RATE_HZ))
    return FakeSound(noise.astype(np.float32), RATE_HZ, block_sizes=(999, 4096), **options)  # type: ignore[arg-type]


def test_what_is_said_becomes_a_transcript_on_the_videos_clock(
    whisper: type[FakeWhisper],
) -> None:
    said = [(0.5, 1.5, "Hello there."), (1.5, 1.6, " "), (2.0, 9.0, "Bye.")]
    heard = hear(whisper, make_noise(4.0, start_sec=10.0), lambda window: said)
    assert heard.transcript is not None
    assert (heard.transcript.origin, heard.transcript.language) == ("asr", "en")
    assert [(s.text, s.start_sec, s.end_sec) for s in heard.transcript.segments] == [
        ("Hello there.", pytest.approx(10.5), pytest.approx(11.5)),
        ("Bye.", pytest.approx(12.0), pytest.approx(14.0)),  # no later than the sound ends
    ]


def test_the_call_is_the_documented_one_and_can_be_had_again(whisper: type[FakeWhisper]) -> None:
    hear(whisper, make_noise(1.0), lambda window: [])
    [load], [call] = whisper.loads, whisper.calls
    assert load["local_files_only"] is True
    assert (load["device"], load["compute_type"]) == ("cpu", "int8")
    assert (load["cpu_threads"], load["num_workers"]) == (2, 1)
    assert (call["beam_size"], call["temperature"]) == (5, 0.0)
    assert (call["condition_on_previous_text"], call["vad_filter"]) == (False, True)
    assert call["audio"].dtype == np.float32
    assert call["audio"].shape == (RATE_HZ,)


def test_the_real_class_takes_every_option() -> None:
    from faster_whisper import WhisperModel

    known = inspect.signature(WhisperModel.transcribe).parameters
    assert set(TRANSCRIBE_OPTIONS) <= set(known)


def test_silence_never_reaches_the_network_and_is_no_transcript(
    whisper: type[FakeWhisper],
) -> None:
    heard = hear(whisper, FakeSound(np.zeros(RATE_HZ), RATE_HZ), lambda window: [(0, 1, "You")])
    assert heard.transcript is None
    assert whisper.calls == whisper.loads == []


def test_the_real_vad_finds_no_speech_in_silence_and_in_noise(tmp_path: Path) -> None:
    from faster_whisper.vad import get_speech_timestamps

    assert get_speech_timestamps(np.zeros(2 * RATE_HZ, np.float32)) == []
    noise = np.random.default_rng(1).normal(0, 0.05, 2 * RATE_HZ).astype(np.float32)
    assert get_speech_timestamps(noise) == []


def test_a_long_sound_is_cut_where_it_is_quiet_and_all_of_it_is_heard(
    whisper: type[FakeWhisper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "WINDOW_SEC", 6)
    monkeypatch.setattr(speech, "CHUNK_SEC", 2)
    samples = np.random.default_rng(0).uniform(0.4, 0.5, 14 * RATE_HZ).astype(np.float32)
    samples[5 * RATE_HZ : 5 * RATE_HZ + RATE_HZ // 4] = 0.001  # a breath at 5 s
    windows: list[np.ndarray] = []

    def say(window: np.ndarray) -> list[tuple[float, float, str]]:
        windows.append(window.copy())
        return [(0.0, 1.0, f"Window {len(windows)}.")]

    whisper.language = "ru"
    heard = hear(whisper, FakeSound(samples, RATE_HZ), say)
    np.testing.assert_array_equal(np.concatenate(windows), samples)
    assert windows[0].size / RATE_HZ == pytest.approx(5.125, abs=0.05)
    assert max(window.size for window in windows) <= 8 * RATE_HZ
    assert heard.transcript is not None
    starts = [segment.start_sec for segment in heard.transcript.segments]
    assert starts == pytest.approx(np.cumsum([0, *(w.size for w in windows[:-1])]) / RATE_HZ)
    assert [call["language"] for call in whisper.calls] == [None, *["ru"] * (len(windows) - 1)]
    assert len(whisper.loads) == 1


def test_both_networks_stand_in_models_used_with_digests(whisper: type[FakeWhisper]) -> None:
    heard = hear(whisper, make_noise(0.5), lambda window: [])
    network, finder = heard.used
    assert network.model_name == WHISPER
    assert network.precision == "int8"
    assert network.runtime.startswith("ctranslate2 ")
    assert network.engine.startswith("faster-whisper ")
    assert finder.model_name.startswith("silero_vad")
    assert len(finder.weights_digest) == len("sha256:") + 64


def test_missing_weights_and_a_missing_package_are_told_with_the_command(
    whisper: type[FakeWhisper], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_missing_speech(WHISPER) is None
    told = find_missing_speech("faster_whisper_tiny")
    assert str(told).endswith("Run: filmcan models pull faster_whisper_tiny")
    real = __import__("importlib.util").util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "faster_whisper" else real(name)
    )
    told = find_missing_speech(WHISPER)
    assert told == 'faster-whisper is not installed. Run: pip install "filmcan[asr]"'
