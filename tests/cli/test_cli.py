"""The command line: what scripts rely on (design, section 7) and what people read."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from filmcan.cli.main import invoke


@pytest.fixture(scope="session")
def store(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with one finished run of the clip."""
    folder = tmp_path_factory.mktemp("cli") / "store"
    document = folder.parent / "document.json"
    document.write_text(json.dumps({"title": "A tone", "tags": ["test"]}))
    code = invoke(
        [
            "run",
            str(clip),
            "--store",
            str(folder),
            "--video-id",
            "v1",
            "--run-id",
            "r1",
            "--document",
            str(document),
        ]
    )
    assert code == 0
    return folder


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = invoke([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_run_prints_one_json_object_with_the_promised_keys(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = call(
        capsys,
        "run",
        clip,
        "--store",
        tmp_path,
        "--json",
        "--only",
        "loudness_extractor",
        "--only",
        "core_clip",
    )
    document = json.loads(out)
    assert code == 0
    assert err == ""
    assert list(document) == [
        "store",
        "platform_id",
        "video_id",
        "run_id",
        "run_path",
        "status",
        "components",
        "unchanged",
    ]
    assert document["unchanged"] is False
    assert (tmp_path / document["run_path"] / "manifest.json").is_file()
    assert document["components"][0]["name"] == "loudness_extractor"
    assert list(document["components"][1]) == [
        "name",
        "status",
        "empty_reason",
        "error",
        "duration_ms",
        "reused_from_run_id",
    ]
    assert document["components"][1]["empty_reason"] == "dependency_missing"


def test_run_reports_a_table_with_failures_last(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(capsys, "run", clip, "--store", tmp_path)
    assert code == 0
    rows = [line for line in out.splitlines() if line.startswith(("loudness", "core_", "clap"))]
    states = [row.split()[1] for row in rows]
    assert states == sorted(states, key=["ok", "empty", "error"].index)
    counts = re.search(r"(\d+) frames decoded, 0 failed, (\d+) passed over", out)
    assert counts is not None
    assert sum(map(int, counts.groups())) == 50
    assert str(clip.parent) not in out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["run", "{text}"], 6, "cannot be opened as media"),
        (["run", "{absent}"], 6, "absent.mp4"),
        (["run", "{clip}", "--video-id", "../x"], 2, "video_id"),
        (["run", "{clip}", "--set", "sampling.rate=1"], 2, "Did you mean rate_hz"),
        (["run", "{clip}", "--only", "nothing"], 2, "there is no component nothing"),
        (["run", "{clip}", "--profile", "{absent}"], 2, "cannot be read"),
        (["run", "{clip}", "--document", "{text}"], 2, "JSON"),
        (["run", "{clip}", "--store", "{text}"], 5, None),
        (["run", "{clip}", "--store", "ftp://x"], 5, "not supported"),
        (["run"], 2, "source"),
        (["run", "{clip}", "--nonsense"], 2, "nonsense"),
        (["list", "{absent}"], 5, "no such store"),
        (["show", "{absent}"], 2, "no such run or artifact"),
        (["validate", "{absent}"], 2, "nothing to validate"),
        (["validate", "{text}"], 3, None),
        (["schema", "show", "nothing_v1"], 2, "not in the registry"),
        (["show", "a/b/c", "--store", "{absent}"], 5, "no such store"),
    ],
)
def test_each_kind_of_failure_has_its_exit_code_and_says_what_to_do(  # noqa: PLR0917 - fixtures
    arguments: list[str],
    code: int,
    told: str | None,
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video " * 100)
    names = {"text": text, "absent": tmp_path / "absent.mp4", "clip": clip}
    filled = [item.format(**names) for item in arguments]
    if "--store" not in filled and filled[0] == "run":
        filled += ["--store", str(tmp_path / "store")]
    found, out, err = call(capsys, *filled)
    assert found == code
    if told is not None:
        assert told in out + err
    assert "Traceback" not in out + err


def test_an_error_is_one_json_object_when_json_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    code, out, _ = call(capsys, "run", tmp_path / "empty.mp4", "--json", "--store", tmp_path / "s")
    assert code == 6
    error = json.loads(out)["error"]
    assert sorted(error) == ["code", "hint", "message", "where"]
    assert str(tmp_path) not in out


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_source_whose_name_is_no_utf8_is_processed_like_any_other(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Path(os.fsdecode(os.fsencode(tmp_path) + b"/K\xe4se.mp4"))
    try:
        shutil.copy(clip, source)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    source.with_suffix(".srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello there.\n")
    common = ("--store", tmp_path / "s", "--only", "loudness_extractor", "--only", "text_processor")
    code, out, _ = call(capsys, "run", source, *common, "--json")
    assert code == 0
    run = tmp_path / "s" / json.loads(out)["run_path"]
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["run"]["source"]["name"] == "K\\xe4se.mp4"
    assert call(capsys, "validate", run)[0] == 0
    code, out, _ = call(capsys, "batch", source, *common, "--json", "--workers", "1")
    assert code == 0
    assert json.loads(out)["results"][0]["source_name"] == "K\\xe4se.mp4"
    code, _, err = call(capsys, "run", source.with_suffix(".mkv"), *common)
    assert code == 6
    assert "K\\xe4se.mkv" in err


def test_a_failed_run_exits_with_one(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(
        capsys,
        "run",
        clip,
        "--store",
        tmp_path,
        "--only",
        "core_clip",
        "--set",
        "components.core_clip.required=true",
        "--json",
    )
    assert code == 1
    assert json.loads(out)["status"] == "error"


def test_list_names_every_run(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "list", store, "--json")
    (row,) = json.loads(out)["runs"]
    assert code == 0
    assert (row["video_id"], row["run_id"], row["status"]) == ("v1", "r1", "ok")
    assert row["components"]["ok"] == 4
    _, out, _ = call(capsys, "list", store)
    assert "v1" in out
    assert "r1" in out


def test_the_store_may_be_named_by_the_environment(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILMCAN_STORE", str(store))
    code, out, _ = call(capsys, "list", "--json")
    assert code == 0
    assert len(json.loads(out)["runs"]) == 1
    code, out, _ = call(capsys, "show", "local/v1", "--json")
    assert json.loads(out)["run_id"] == "r1"


def test_show_prints_a_run_with_its_features(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(capsys, "show", store / "local" / "v1" / "r1")
    assert code == 0
    assert "integrated_lufs" in out
    assert "dependency_missing" in out


def test_show_prints_an_artifact_by_file_or_by_folder(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = store / "local" / "v1" / "r1" / "loudness_extractor"
    (file,) = folder.glob("*.npz")
    for target in (folder, file):
        code, out, _ = call(capsys, "show", target)
        assert code == 0
        assert "short_term_lufs" in out
        _, out, _ = call(capsys, "show", target, "--json")
        document = json.loads(out)
        assert document["meta"]["producer"] == "loudness_extractor"
        assert {row["key"] for row in document["keys"]} > {"times_sec", "momentary_lufs"}


def test_render_gives_features_with_units_and_reasons(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(capsys, "render", "local/v1/r1", "--store", store, "--view", "features")
    assert code == 0
    components = json.loads(out)["components"]
    loudness = {row["name"]: row for row in components["loudness_extractor"]["features"]}
    assert loudness["integrated_lufs"]["unit"] == "LUFS"
    assert loudness["integrated_lufs"]["missing_reason"] is None
    missing = [row for row in components["core_clip"]["features"] if row["value"] is not None]
    assert missing == []
    assert {row["missing_reason"] for row in components["core_clip"]["features"]} == {
        "dependency_missing"
    }


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--view", "series", "--key", "momentary_luf"], "Near it: momentary_lufs"),
        (["--key", "momentary_luf"], "Near it: momentary_lufs"),
        (["--view", "series", "--key", "nope"], "Drawn are: "),
        (["--view", "series", "--key", "times_sec"], "key times_sec is not drawn"),
        (["--view", "series", "--start-sec", "5", "--end-sec", "1"], "begins at 5 s and ends at 1"),
        (["--key", "momentary_lufs"], "Ask for --view series"),
        (["--view", "features", "--start-sec", "1"], "Ask for --view series"),
    ],
)
def test_render_refuses_a_choice_of_which_nothing_comes(
    options: list[str], told: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for target in ("local/v1/r1", store / "local" / "v1" / "r1" / "loudness_extractor"):
        code, out, err = call(capsys, "render", target, "--store", store, *options)
        assert (code, out) == (2, "")
        assert told in err


def test_render_draws_the_keys_and_the_window_that_are_asked_for(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--view", "series", "--key", "momentary_lufs", "--start-sec", "0.5"]
    code, out, _ = call(capsys, "render", "local/v1/r1", "--store", store, *options)
    assert code == 0
    components = json.loads(out)["components"]
    (drawing,) = components["loudness_extractor"]["series"]
    assert drawing["key"] == "momentary_lufs"
    assert drawing["rows"][0] > 0
    assert all(not item["series"] for name, item in components.items() if "loudness" not in name)


def test_c10_rendering_is_deterministic(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = call(capsys, "render", "local/v1/r1", "--store", store)
    assert call(capsys, "render", "local/v1/r1", "--store", store) == first
    assert json.loads(first[1])["view"] == "summary"


def test_validate_accepts_what_run_wrote(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "validate", store)
    assert code == 0
    assert "valid: 1 runs, 9 artifacts, 0 errors, 0 warnings" in out
    code, out, _ = call(capsys, "validate", "--store", store, "--json")
    assert json.loads(out) == {"valid": True, "runs": 1, "artifacts": 9, "issues": []}


def test_validate_exits_with_three_on_any_error(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke(["run", str(clip), "--store", str(tmp_path), "--only", "loudness_extractor"])
    (artifact,) = tmp_path.glob("local/*/*/loudness_extractor/*.npz")
    artifact.write_bytes(artifact.read_bytes()[:-1])
    capsys.readouterr()
    code, out, _ = call(capsys, "validate", tmp_path, "--json")
    assert code == 3
    assert json.loads(out)["valid"] is False


def test_schemas_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "schema", "list", "--json")
    assert code == 0
    schemas = {row["schema_version"]: row["components"] for row in json.loads(out)["schemas"]}
    assert len(schemas) == 7
    assert schemas["audio_npz_v1"] == ["loudness_extractor", "tempo_extractor", "clap_extractor"]
    code, out, _ = call(capsys, "schema", "show", "text_npz_v1")
    assert json.loads(out)["schema_version"] == "text_npz_v1"


def test_the_doctor_names_every_component_and_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(capsys, "doctor", "--store", tmp_path, "--json")
    assert code == 0
    checks = {row["name"]: row for row in json.loads(out)["checks"]}
    assert checks["component core_optical_flow"]["status"] == "ok"
    assert checks["component core_clip"]["status"] == "note"
    told = checks["component text_processor"]["detail"]  # runs, but not all of it
    assert told.endswith("Run: filmcan models pull all_minilm_l6_v2")
    assert checks["numpy"]["status"] == "ok"
    assert "libavcodec" in checks["ffmpeg"]["detail"]


def test_ctrl_c_exits_with_130(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("filmcan.operations.process.process_order", interrupt)
    code, _, err = call(capsys, "run", clip, "--store", tmp_path)
    assert code == 130
    assert "Interrupted" in err
