"""C10.2: who tells a run, what the manifest notes of it, and when it is asked again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import filmcan
from filmcan.cli.main import invoke
from filmcan.errors import InvalidContentError, NotFoundError, StoreUnavailableError
from filmcan.operations.narrating import Endpoint, narrate_run, narrate_target, read_context
from filmcan.operations.validation import validate_target
from filmcan.render.narrative import render_narrative
from filmcan.render.text_writer import post
from filmcan.store.run import Run

ENDPOINT = Endpoint("http://127.0.0.1:1/v1/", "tiny", key="k3y")


@pytest.fixture
def run(tmp_path: Path, clip: Path) -> Run:
    wanted = ["loudness_extractor", "core_clip"]
    return filmcan.run(clip, store=tmp_path / "store", only=wanted)


def reread(run: Run) -> Run:
    return filmcan.open_store(run.backend.url).run(run.platform_id, run.video_id, run.run_id)


def answering(text: object, calls: list[dict[str, Any]]) -> Any:
    def send(url: str, body: bytes, headers: dict[str, str]) -> bytes:
        calls.append({"url": url, "headers": headers, **json.loads(body)})
        return json.dumps({"choices": [{"message": {"content": text}}]}).encode()

    return send


def test_c10_the_template_needs_no_network_and_the_manifest_notes_it(run: Run) -> None:
    told = narrate_run(run)
    assert "integrated_lufs" in told.text
    assert "Data unavailable for core_clip" in told.text
    render = reread(run).manifest.render
    assert render is not None
    wanted = ("llm_provider", "llm_model", "prompt_version", "prompt_hash", "locale", "created_at")
    assert set(wanted) <= set(render)
    assert (render["llm_provider"], render["llm_model"]) == ("template", None)
    assert reread(run).status == run.status
    assert reread(run).manifest.run.finished_at == run.manifest.run.finished_at
    assert validate_target(f"{run.backend.url}/{run.path}").report.ok


def test_c10_the_same_question_is_answered_from_the_manifest(run: Run) -> None:
    first = narrate_run(run)
    again = narrate_run(reread(run))
    assert (again.is_kept, again.text, again.record) == (True, first.text, first.record)
    russian = narrate_run(reread(run), "ru")
    assert not russian.is_kept
    assert narrate_run(reread(run), "en").is_kept
    assert narrate_run(reread(run), "ru").is_kept
    assert reread(run).manifest.run.revision == run.manifest.run.revision + 2


def test_c10_an_endpoint_is_given_the_context_alone_and_kept_when_it_tells_the_truth(
    run: Run,
) -> None:
    calls: list[dict[str, Any]] = []
    honest = render_narrative(read_context(run), "en")
    told = narrate_run(run, "en", ENDPOINT, send=answering(honest, calls))
    assert told.record["llm_model"] == "tiny"
    (call,) = calls
    assert call["url"] == "http://127.0.0.1:1/v1/chat/completions"
    assert call["headers"]["Authorization"] == "Bearer k3y"
    assert call["messages"][1]["content"] == read_context(run).to_json()
    assert narrate_run(reread(run), "en", ENDPOINT, send=answering("9", calls)).is_kept
    assert len(calls) == 1
    assert "k3y" not in json.dumps(dict(reread(run).manifest.render or {}))


@pytest.mark.parametrize(
    "lie", ["It lasts 777 s. core_clip: data unavailable.", "A lovely clip.", "It coheres well."]
)
def test_c10_a_text_that_says_more_is_refused_and_leaves_nothing(run: Run, lie: str) -> None:
    with pytest.raises(InvalidContentError, match="more than was measured") as caught:
        narrate_run(run, "en", ENDPOINT, send=answering(lie, []))
    assert caught.value.code == "narrative_refused"
    assert reread(run).manifest.render is None


@pytest.mark.parametrize("answer", [b"no json", b"{}", b'{"choices": [{"message": {}}]}'])
def test_an_answer_that_is_none_is_a_typed_error(run: Run, answer: bytes) -> None:
    with pytest.raises(InvalidContentError, match="holds no text"):
        narrate_run(run, "en", ENDPOINT, send=lambda *_: answer)


def test_an_endpoint_that_is_not_there_is_a_typed_error() -> None:
    with pytest.raises(StoreUnavailableError, match="did not answer"):
        post("http://127.0.0.1:1/", b"{}", {})
    with pytest.raises(InvalidContentError, match="http or https"):
        post("file:///etc/passwd", b"{}", {})


def test_the_command_line_tells_a_run(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = f"{run.backend.url}/{run.path}"
    assert invoke(["render", path, "--narrative", "--locale", "ru"]) == 0
    assert "Данные недоступны для core_clip" in capsys.readouterr().out
    assert invoke(["render", path, "--narrative", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["prompt_version"] == "template_v1"
    assert invoke(["render", path, "--narrative", "--endpoint", "http://x"]) == 2
    artifact = next(Path(path, "core_clip").glob("*.npz"))
    with pytest.raises(NotFoundError, match="told of a run"):
        narrate_target(str(artifact), run.backend.url)
    copied = shutil.copytree(path, tmp_path / "elsewhere" / "a" / "b")
    with pytest.raises(NotFoundError, match="outside of a store"):
        narrate_target(str(copied), run.backend.url)
