"""C11.1: the resolved profile names every setting; what decides results is hashed, nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from filmcan.components.catalog import COMPONENT_NAMES
from filmcan.errors import BadProfileError
from filmcan.pipeline.profile import load_packaged_profile, resolve_profile


def test_the_default_profile_names_every_component_in_planned_order() -> None:
    components = resolve_profile().section("components")
    assert tuple(components) == COMPONENT_NAMES
    for name in COMPONENT_NAMES:
        assert components[name]["enabled"] is True  # type: ignore[index]
        assert components[name]["required"] is False  # type: ignore[index]


def test_c11_execution_never_changes_the_hash_and_all_else_does() -> None:
    plain = resolve_profile().config_hash
    assert resolve_profile(settings=["execution.decode_threads=8"]).config_hash == plain
    assert resolve_profile(settings=["sampling.rate_hz=4"]).config_hash != plain
    assert resolve_profile(settings=["seed=1"]).config_hash != plain
    changed = resolve_profile(settings=["components.core_optical_flow.max_width=128"])
    assert changed.config_hash != plain


def test_a_setting_that_states_the_default_changes_nothing() -> None:
    plain = resolve_profile()
    assert resolve_profile(settings=["sampling.rate_hz=2"]).config_hash == plain.config_hash
    assert resolve_profile(settings={"sampling.rate_hz": 2.0}).document == plain.document


def test_settings_win_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("sampling:\n  rate_hz: 5\n  max_samples: 7\n")
    sampling = resolve_profile(file, ["sampling.rate_hz=9"]).section("sampling")
    assert dict(sampling) == {"policy": "uniform_v1", "rate_hz": 9.0, "max_samples": 7}


def test_a_list_is_replaced_as_a_whole_and_counts_for_the_hash() -> None:
    own = "[{group: kind, texts: [a cat, a dog]}]"
    for value, expected in ((own, [{"group": "kind", "texts": ["a cat", "a dog"]}]), ("[]", [])):
        profile = resolve_profile(settings=[f"components.core_clip.prompts={value}"])
        assert profile.section("components", "core_clip")["prompts"] == expected
        assert profile.config_hash != resolve_profile().config_hash


def test_a_packaged_profile_is_named_by_a_bare_word() -> None:
    assert resolve_profile(Path("all")).document == load_packaged_profile("all")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["sampling.rate=4"], "Did you mean rate_hz"),
        (["sampling.zzz=4"], "Known here"),
        (["sampling=4"], "settings by name"),
        (["sampling.rate_hz=fast"], "expected a number"),
        (["sampling.rate_hz=.nan"], "finite"),
        (["sampling.max_samples=1.5"], "whole number"),
        (["sampling.max_samples=true"], "whole number"),
        (["components.core_clip.enabled=1"], "true or false"),
        (["components.core_clip.prompts=cat"], "expected a list"),
        (["components.core_clip.prompts=[cat]"], "expected settings by name"),
        (["sampling.policy=2020-01-01x"], None),
        (["sampling.policy=[a"], "not valid YAML"),
        (["sampling.rate_hz"], "dotted.key=value"),
        (["=4"], "dotted.key=value"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name(settings: list[str], told: str | None) -> None:
    if told is None:
        resolve_profile(settings=settings)
        return
    with pytest.raises(BadProfileError, match=told):
        resolve_profile(settings=settings)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a", "settings by name"),
        ("seed: 1\nseed: 2", "twice"),
        ("1: 2", "no text"),
        ("seed: !!python/object:os.system x", "not valid YAML"),
        ("sampling: {rate_hz: 1", "not valid YAML"),
        ("colour: red", "no such setting"),
        ("a: &a [*a]", "no such setting|not valid"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(BadProfileError, match=told):
        resolve_profile(file)


def test_an_absent_file_or_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadProfileError, match="cannot be read"):
        resolve_profile(tmp_path / "none.yaml")
    with pytest.raises(BadProfileError, match="one of: all"):
        resolve_profile(Path("tierzero"))


def test_a_date_in_a_profile_stays_text(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("sampling:\n  policy: 2026-01-31\n")
    assert resolve_profile(file).section("sampling")["policy"] == "2026-01-31"


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert resolve_profile(tmp_path / "empty.yaml") == resolve_profile()


def test_tier0_runs_all_nine_with_the_embedders_required() -> None:
    profile = resolve_profile(Path("tier0"))
    sections = {name: profile.section("components", name) for name in COMPONENT_NAMES}
    assert all(section["enabled"] for section in sections.values())
    required = {name for name, section in sections.items() if section["required"]}
    assert required == {"text_processor", "core_clip", "clap_extractor"}
    assert sections["text_processor"]["embedder"] == "all_minilm_l6_v2"


def test_tier0_leaves_no_choice_to_the_machine_and_names_every_component() -> None:
    written = cast("dict[str, dict[str, object]]", load_packaged_profile("tier0")["components"])
    assert set(written) == set(COMPONENT_NAMES)
    profile = resolve_profile(Path("tier0"))
    for name in COMPONENT_NAMES:
        assert "auto" not in profile.section("components", name).values(), name
