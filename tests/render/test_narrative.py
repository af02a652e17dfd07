"""C10.2: a text tells what its context says, and nothing else."""

from __future__ import annotations

import pytest

from filmcan.render.context import Missing, Peak, Quantity, RenderContext, round_told
from filmcan.render.narrative import LOCALES, render_narrative, tell_number
from filmcan.render.narrative_check import check_narrative
from filmcan.render.text_writer import build_messages, hash_prompt

CONTEXT = RenderContext(
    title="clip_2024.mp4",
    status="ok",
    duration_sec=62.5,
    quantities=(
        Quantity("loudness_extractor", "integrated_lufs", -23.1, "LUFS"),
        Quantity("loudness_extractor", "silence_ratio", 0.0188, ""),
        Quantity("core_optical_flow", "flow_pair_count", 1234.0, "pairs"),
        Quantity("core_optical_flow", "camera_still_share", 0.45, ""),
    ),
    peaks=(Peak("core_optical_flow", "motion_p95_per_sec", 3.2, "frame width/s", 41.5),),
    missing=(
        Missing("core_face_landmarks", "", "no_faces_in_video"),
        Missing("tempo_extractor", "", "dependency_missing"),
        Missing("loudness_extractor", "loudness_range_lu", "too_short"),
    ),
)
SAID = " Face data are unavailable. Tempo data are unavailable."
SAID_RU = " Данные о лицах недоступны. Темп не измерен."

TRUE_TEXTS = [
    "The clip lasts 62.5 s at -23.1 LUFS." + SAID,
    "The clip lasts 62,5 s, its loudness is \N{MINUS SIGN}23.1 LUFS." + SAID,
    "clip_2024.mp4 has 1234 pairs of frames." + SAID,
    "It has 1 234 pairs of frames; a share of 0.450 is still." + SAID,
    "Motion is greatest at 41.5 s: 3.2 frame width/s." + SAID,
    "core_face_landmarks: data unavailable. tempo_extractor: data unavailable.",
    "The loudness_range_lu is not measured." + SAID,
    "One could say that the camera is still." + SAID,
    "Клип длится 62,5 s, громкость \N{MINUS SIGN}23.1 LUFS." + SAID_RU,
    "Наибольшее движение на 41.5 s." + SAID_RU,
    "Silence: 1.88e-2 of the time." + SAID,
]
FALSE_TEXTS = [
    ("It lasts 63 s." + SAID, "63"),
    ("It lasts 62.4 s." + SAID, "62.4"),
    ("Its loudness is 23.1 LUFS." + SAID, "23.1"),
    ("Its loudness is -23 LUFS." + SAID, "-23"),
    ("Its loudness is -23.15 LUFS." + SAID, "-23.15"),
    ("It lasts -23.1 s." + SAID, "-23.1"),
    ("It peaks at 3.2 LUFS." + SAID, "3.2"),
    ("It has 12 scenes." + SAID, "12"),
    ("It has twelve scenes." + SAID, "twelve"),
    ("В нём три сцены." + SAID_RU, "три"),
    ("The share is 45 %." + SAID, "45"),
    ("It has 12 34 pairs." + SAID, "12"),
    ("It has 1 235 pairs." + SAID, "1 235"),
    ("It was filmed in 2024." + SAID, "2024"),
    ("Between 41.5-42 s it moves." + SAID, "42"),
    ("It lasts 62.5e1 s." + SAID, "62.5e1"),
    ("Громкость \N{MINUS SIGN}24,1 LUFS." + SAID_RU, "\N{MINUS SIGN}24,1"),
    ("It shows h264 video." + SAID, "264"),
]
CLAIMS = [
    "It lasts 62.5 s.",
    "It lasts 62.5 s. Tempo data are unavailable.",
    "Face data are unavailable. The tempo is fast. Tempo data are unavailable.",
    "Two faces smile. Tempo data are unavailable. Face data are unavailable.",
    "The loudness_range_lu is small." + SAID,
    "В кадре улыбаются лица." + SAID_RU,
]


@pytest.mark.parametrize("text", TRUE_TEXTS)
def test_c10_a_true_text_passes(text: str) -> None:
    assert check_narrative(text, CONTEXT) == ()


@pytest.mark.parametrize(("text", "number"), FALSE_TEXTS)
def test_c10_every_planted_number_is_caught(text: str, number: str) -> None:
    faults = check_narrative(text, CONTEXT)
    assert number in [fault.key for fault in faults]
    assert {fault.code for fault in faults} <= {"number_not_in_context", "unit_not_in_context"}


@pytest.mark.parametrize("text", CLAIMS)
def test_c10_a_claim_about_missing_data_is_caught(text: str) -> None:
    codes = {fault.code for fault in check_narrative(text, CONTEXT)}
    assert codes & {"missing_claimed", "missing_not_said"}


@pytest.mark.parametrize("locale", LOCALES)
def test_c10_the_template_says_what_its_checker_accepts_and_is_deterministic(locale: str) -> None:
    text = render_narrative(CONTEXT, locale)  # type: ignore[arg-type]
    assert check_narrative(text, CONTEXT) == ()
    assert text == render_narrative(CONTEXT, locale)  # type: ignore[arg-type]
    assert "integrated_lufs -23.1 LUFS" in text
    assert "41.5" in text
    assert ("Data unavailable" if locale == "en" else "недоступны") in text


@pytest.mark.parametrize(
    ("value", "told"),
    [(-23.1357, "-23.1"), (0.018825, "0.0188"), (1234.56, "1235"), (3.0, "3"), (-0.0, "0")],
)
def test_numbers_are_told_with_three_digits_and_no_exponent(value: float, told: str) -> None:
    assert tell_number(round_told(value)) == told


def test_the_prompt_is_the_context_and_its_hash_changes_with_both() -> None:
    messages = build_messages(CONTEXT, "en")
    assert messages[1]["content"] == CONTEXT.to_json()
    hashes = {hash_prompt(build_messages(CONTEXT, locale)) for locale in LOCALES}
    assert len(hashes) == 2
