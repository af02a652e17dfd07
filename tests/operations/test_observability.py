"""What a batch tells of itself: logs for machines, metrics, and the room that results take."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from filmcan.cli.logs import JsonFormatter
from filmcan.errors import StoreUnavailableError
from filmcan.operations.batch_videos import ComponentEnd, VideoResult
from filmcan.operations.disk_use import measure_disk_use
from filmcan.operations.metrics import MeteredObserver
from filmcan.operations.process import process_video
from filmcan.pipeline.events import Event


class _Deaf:
    def on_video(self, result: VideoResult, done: int, total: int) -> None:
        pass


def build_result(how: str, *components: ComponentEnd) -> VideoResult:
    return VideoResult(
        "clip.mp4",
        "local",
        "v",
        "r",
        how,
        "ok",
        components,
        None,
        1.0,  # type: ignore[arg-type]
    )


def test_logs_say_where_and_how_and_never_what_was_read(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="filmcan")
    document = {"title": "a secret title", "comments": [{"text": "a secret comment"}]}
    run = process_video(clip, store=tmp_path, only=["text_processor"], document=document)
    formatter = JsonFormatter()
    lines = [json.loads(formatter.format(record)) for record in caplog.records]
    (ended,) = [line for line in lines if line.get("event") == "component_ended"]
    assert ended["component"] == "text_processor"
    assert (ended["platform_id"], ended["video_id"]) == (run.platform_id, run.video_id)
    assert (ended["run_id"], ended["status"]) == (run.run_id, "ok")
    assert "secret" not in caplog.text
    assert "component=text_processor" in caplog.text


def test_an_event_quotes_what_would_break_its_line_and_leaves_out_what_is_not_known() -> None:
    event = Event("x", {"a": 'two words "quoted"\n', "b": None, "c": 1.5, "d": ""})
    assert str(event) == 'x a="two words \\"quoted\\"\\n" c=1.5 d=""'


def test_a_log_line_that_is_no_event_is_json_too() -> None:
    record = logging.LogRecord("n", logging.WARNING, "f", 1, "plain %s", ("words",), None)
    assert json.loads(JsonFormatter().format(record))["message"] == "plain words"


def test_metrics_of_a_batch_are_prometheus_text(tmp_path: Path) -> None:
    observer = MeteredObserver(tmp_path / "batch.prom", _Deaf())
    ok = ComponentEnd("core_clip", "ok", "", None, 2.0, 100)
    failed = ComponentEnd("core_clip", "error", "worker_crashed", "worker_crashed: x", None, 0)
    observer.on_video(build_result("done", ok), 1, 3)
    observer.on_video(build_result("done", failed), 2, 3)
    observer.on_video(build_result("earlier", ok), 3, 3)
    observer.write()
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families((tmp_path / "batch.prom").read_text())
        for sample in family.samples
    }
    assert found["filmcan_batch_videos",] == found["filmcan_batch_videos_ended",] == 3
    assert found["filmcan_videos_total", "done"] == 2
    assert found["filmcan_components_total", "core_clip", "error", "worker_crashed"] == 1
    assert found["filmcan_components_total", "", "core_clip", "ok"] == 2
    assert found["filmcan_component_seconds_count", "core_clip"] == 1
    assert found["filmcan_artifact_bytes_total", "core_clip"] == 100
    with pytest.raises(StoreUnavailableError, match="cannot be written"):
        MeteredObserver(tmp_path / "no" / "folder", _Deaf()).write()


def test_the_room_that_videos_and_components_take_adds_up(clip: Path, tmp_path: Path) -> None:
    only = ["loudness_extractor", "text_processor"]
    run = process_video(clip, store=tmp_path, only=only)
    process_video(clip, store=tmp_path, only=only, force=True)
    use = measure_disk_use(str(tmp_path))
    files = sum(path.stat().st_size for path in tmp_path.glob("local/*/*/*/*.np*"))
    assert use.size_bytes == files == sum(use.components.values())
    (video,) = use.videos
    assert (video.video_id, video.runs, video.size_bytes) == (run.video_id, 2, files)
    assert list(video.components) == list(use.components)
