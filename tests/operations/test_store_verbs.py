"""fsck, gc and delete as operations: arguments checked, results typed, nothing printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from filmcan.errors import BadProfileError, InvalidIdError, StoreUnavailableError
from filmcan.operations.check_store import check_store
from filmcan.operations.collect_garbage import collect_garbage, parse_duration
from filmcan.operations.delete_video import delete_video, survey_video
from filmcan.store.local import LocalBackend
from filmcan.testing.made_stores import COMPONENTS, write_run
from filmcan.testing.store_suite import publish


@pytest.fixture
def store(tmp_path: Path) -> str:
    folder = tmp_path / "store"
    write_run(LocalBackend(folder))
    return str(folder)


def test_a_sound_store_is_sound_with_and_without_data(store: str) -> None:
    check = check_store(store)
    assert (check.report.ok, check.runs, check.artifacts) == (True, 1, len(COMPONENTS))
    assert check.read_bytes == 0
    told: list[tuple[float, str]] = []
    rehashed = check_store(
        store, with_data=True, on_progress=lambda share, place: told.append((share, place))
    )
    assert rehashed.read_bytes > 0
    assert told == [(0.0, "local/v1/r1")]


def test_a_repair_says_what_was_found_what_was_done_and_what_remains(store: str) -> None:
    (Path(store) / "local" / "v1" / "r1" / "manifest.json").unlink()
    publish(LocalBackend(Path(store)), "debug.json", b"{}")
    found = check_store(store)
    assert {issue.code for issue in found.report} == {"manifest_missing", "forbidden_json"}
    assert found.remaining == found.report
    assert found.repairs == ()
    repaired = check_store(store, repair=True)
    assert repaired.report == found.report
    assert [repair.is_done for repair in repaired.repairs] == [True, True]
    assert repaired.remaining.ok
    assert len(repaired.remaining) == 0
    assert check_store(store, repair=True).repairs == ()


def test_gc_checks_its_rules_before_it_looks_at_the_store(store: str) -> None:
    for wrong in ({"keep_last": 0}, {"max_age": "old"}, {"grace": "-1h"}, {"grace": "1 h"}):
        with pytest.raises(BadProfileError):
            collect_garbage(store, **wrong)  # type: ignore[arg-type]


def test_gc_keeps_what_is_younger_than_a_day_unless_told(store: str) -> None:
    stray = "local/v1/r1/core_optical_flow/core_optical_flow.0123456789ab.npz"
    publish(LocalBackend(Path(store)), stray, b"x")
    assert collect_garbage(store, keep_last=1, max_age="1s").removals == ()
    told: list[str] = []
    planned = collect_garbage(
        store, dry_run=True, grace="0s", on_progress=lambda _, place: told.append(place)
    )
    assert told == ["local/v1", "local/v1"]  # read, then swept
    assert {item.path for item in planned.removals} <= {stray}
    assert (Path(store) / stray).is_file()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("90s", 90), ("1.5m", 90), ("24h", 86_400), ("30d", 2_592_000), ("2w", 1_209_600)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "h", "1e3s", "-1s", "1s ", "nan", "١s", "9" * 30 + "s"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(BadProfileError, match="no duration"):
        parse_duration(text)


def test_delete_says_before_and_after_what_goes(store: str) -> None:
    planned = survey_video(store, "local/v1")
    assert survey_video(store, "local/v1", "r1") == type(planned)("local/v1/r1", planned.files)
    receipt = delete_video(store, "local/v1")
    assert sorted(file.path for file in receipt.files) == [file.path for file in planned.files]
    assert receipt.size_bytes == planned.size_bytes > 0
    assert delete_video(store, "local/v1").files == ()


@pytest.mark.parametrize("video", ["v1", "", "local/", "/v1", "local/v1/r1", "../v1", "local/.."])
def test_delete_takes_platform_and_video_only(store: str, video: str) -> None:
    for act in (survey_video, delete_video):
        with pytest.raises(InvalidIdError):
            act(store, video)
    assert check_store(store).report.ok


def test_a_store_that_is_not_there_is_an_error_not_an_empty_one(tmp_path: Path) -> None:
    for act in (check_store, collect_garbage, lambda url: delete_video(url, "local/v1")):
        with pytest.raises(StoreUnavailableError):
            act(str(tmp_path / "none"))
    assert list(tmp_path.iterdir()) == []
