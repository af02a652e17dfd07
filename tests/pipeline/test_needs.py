"""Components that need others, time limits, second tries (C6.6)."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
import tenacity

from filmcan.components import catalog
from filmcan.components.base import Component, Inputs, Need, Result
from filmcan.contract.manifest import Kind
from filmcan.errors import BadMediaError, InternalError, StoreUnavailableError
from filmcan.media.frames import FrameRequest, FrameView
from filmcan.operations.process import process_video
from filmcan.operations.validation import validate_target
from filmcan.pipeline.faults import is_memory_shortage, is_of_the_moment
from filmcan.pipeline.plan import PlannedComponent
from filmcan.pipeline.schedule import Schedule
from filmcan.store.run import Run

if TYPE_CHECKING:
    import numpy as np

Measure = Callable[[Inputs], Result]
Install = Callable[..., None]

SHORT = Result("empty", empty_reason="video_too_short")


class _Fake(Component):
    """Stands in the place of a component of the catalog, and measures what the test says."""

    kind: ClassVar[Kind] = "core"
    producer_version: ClassVar[str] = "test"
    measure: ClassVar[Measure]
    missing: ClassVar[str | None] = None
    wants_frames: ClassVar[bool] = True

    def find_missing_dependency(self) -> str | None:
        return self.missing

    def frame_request(self) -> FrameRequest | None:
        return FrameRequest(FrameView("gray", max_width=64)) if self.wants_frames else None

    def run(self, inputs: Inputs) -> Result:
        return type(self).measure(inputs)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that puts a fake in the place of a component."""
    fakes: dict[str, type[Component]] = {}
    original = catalog.get_component_class

    def choose(name: str) -> type[Component]:
        return fakes.get(name) or original(name)

    monkeypatch.setattr("filmcan.pipeline.plan.get_component_class", choose)

    def put(name: str, measure: Measure, **attributes: object) -> None:
        members = {
            "name": name,
            "schema_version": f"{name}_npz_v1",
            "measure": staticmethod(measure),
            **attributes,
        }
        fakes[name] = type("Fake", (_Fake,), members)

    return put


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the pauses between tries in place of making them."""
    pauses: list[float] = []
    monkeypatch.setattr(tenacity.nap.time, "sleep", pauses.append)
    return pauses


FLOW, DEPTH, CLIP = "core_optical_flow", "core_depth_midas", "core_clip"


def run(clip: Path, store: Path, *only: str, **options: object) -> Run:
    found = process_video(clip, store=store, only=only, **options)  # type: ignore[arg-type]
    report = validate_target(str(store / found.path)).report
    assert report.ok, list(report.errors)
    return found


def measure_flow(clip: Path, folder: Path) -> Mapping[str, np.ndarray]:
    real = process_video(clip, store=folder, only=[FLOW])[FLOW]
    return {key: real[key] for key in real}


def repeat(arrays: Mapping[str, np.ndarray]) -> Measure:
    """Return what reads all frames and then says what was measured before."""

    def measure(inputs: Inputs) -> Result:
        assert inputs.frames is not None
        assert list(inputs.frames)
        return Result("ok", arrays)

    return measure


def test_a_dependent_runs_after_what_it_needs_and_is_given_its_arrays(
    clip: Path, tmp_path: Path, install: Install
) -> None:
    arrays = measure_flow(clip, tmp_path / "real")
    given: list[np.ndarray] = []

    def depend(inputs: Inputs) -> Result:
        given.append(inputs.needed[FLOW].arrays["frame_indices"])
        return SHORT

    install(FLOW, repeat(arrays))
    install(CLIP, depend, needs=(Need(FLOW),), wants_frames=False)
    store = tmp_path / "store"
    first = run(clip, store, CLIP)
    assert list(first.components) == [CLIP, FLOW], "what is needed comes along"
    assert given[0].tolist() == arrays["frame_indices"].tolist()
    changed = ["components.core_clip.model=other"]
    second = run(clip, store, CLIP, settings=[*changed, "components.core_clip.model=clip_vit_b32"])
    assert second.run_id == first.run_id
    third = run(clip, store, CLIP, settings=["components.core_clip.prompts=[]"])
    assert third.components[FLOW].reused_from_run_id == first.run_id
    assert given[1].tolist() == given[0].tolist(), "a carried artifact is handed over as well"


def test_c11_what_a_result_needs_is_part_of_its_key(
    clip: Path, tmp_path: Path, install: Install
) -> None:
    arrays = measure_flow(clip, tmp_path / "real")
    install(FLOW, repeat(arrays))
    install(CLIP, lambda inputs: SHORT, needs=(Need(FLOW),))
    first = run(clip, tmp_path, CLIP)
    second = run(clip, tmp_path, CLIP, settings=["components.core_optical_flow.preview_count=2"])
    assert second.components[CLIP].reused_from_run_id is None
    keys = [found.components[CLIP].reuse_key for found in (first, second)]
    assert keys[0] != keys[1]


def test_c6_a_failure_is_recorded_once_at_the_root_and_named_by_all_it_blocks(
    clip: Path, tmp_path: Path, install: Install
) -> None:
    def boom(inputs: Inputs) -> Result:
        raise ValueError("the root")

    def never(inputs: Inputs) -> Result:
        raise AssertionError("it must not run")

    install(FLOW, boom)
    install(DEPTH, never, needs=(Need(FLOW),))
    install(CLIP, never, needs=(Need(DEPTH),))
    found = run(clip, tmp_path, CLIP, "loudness_extractor").components
    assert found[FLOW].error == "ValueError: the root"
    assert found[FLOW].blocked_by is None
    for name, needed in ((DEPTH, FLOW), (CLIP, DEPTH)):
        assert (found[name].status, found[name].blocked_by) == ("error", FLOW)
        assert found[name].error == f"blocked: it needs {needed}, which failed"
    assert found["loudness_extractor"].status == "ok"


def test_c6_a_dependent_of_an_empty_result_is_empty_and_an_optional_need_blocks_nobody(
    clip: Path, tmp_path: Path, install: Install
) -> None:
    seen: list[tuple[str, ...]] = []

    def optional(inputs: Inputs) -> Result:
        seen.append(tuple(inputs.needed))
        return SHORT

    install(FLOW, lambda inputs: SHORT)
    install(DEPTH, optional, needs=(Need(FLOW),))
    install(CLIP, optional, needs=(Need(FLOW, required=False),))
    found = run(clip, tmp_path, FLOW, DEPTH, CLIP).components
    blocked = found[DEPTH]
    assert (blocked.status, blocked.empty_reason) == ("empty", "dependency_missing")
    assert (blocked.blocked_by, blocked.notes) == (
        FLOW,
        f"It needs {FLOW}, which is video_too_short.",
    )
    assert found[CLIP].empty_reason == "video_too_short"
    assert seen == [()]


def test_c6_a_need_that_is_disabled_leaves_the_dependent_empty(
    clip: Path, tmp_path: Path, install: Install
) -> None:
    install(CLIP, lambda inputs: SHORT, needs=(Need(FLOW),))
    settings = [f"components.{FLOW}.enabled=false"]
    found = run(clip, tmp_path, CLIP, settings=settings).components
    assert list(found) == [CLIP]
    assert (found[CLIP].empty_reason, found[CLIP].blocked_by) == ("dependency_missing", FLOW)


def test_needs_in_a_circle_are_refused() -> None:
    def plan(name: str, need: str) -> PlannedComponent:
        members = {"name": name, "needs": (Need(need),), "measure": staticmethod(lambda _: SHORT)}
        kind = type("Fake", (_Fake,), {**members, "schema_version": "x"})
        return PlannedComponent(kind({}), required=False, missing_dependency=None)

    with pytest.raises(InternalError, match="circle"):
        Schedule([plan("a", "b"), plan("b", "a")])


def test_a_component_over_its_time_limit_ends_in_error_and_holds_nobody_up(
    clip: Path, tmp_path: Path, install: Install
) -> None:
    let_go = threading.Event()

    def hang(inputs: Inputs) -> Result:
        let_go.wait()
        return SHORT

    install(FLOW, hang)
    found = run(
        clip,
        tmp_path,
        FLOW,
        "loudness_extractor",
        settings=["execution.component_timeout_sec=3", "execution.queue_size=1"],
    )
    let_go.set()
    assert str(found.components[FLOW].error).startswith("time_limit: ")
    assert found.components["loudness_extractor"].status == "ok"
    assert found.manifest.is_finished


def test_a_memory_error_halves_the_batch_and_tries_again_and_the_notes_say_so(
    clip: Path, tmp_path: Path, install: Install
) -> None:
    sizes: list[int] = []

    def measure(inputs: Inputs) -> Result:
        sizes.append(inputs.execution.batch_size)
        assert inputs.frames is not None
        assert len([sample for sample in inputs.frames if sample.image is not None]) > 1
        if inputs.execution.batch_size > 2:
            raise MemoryError
        return SHORT

    install(FLOW, measure)
    record = run(clip, tmp_path, FLOW, "loudness_extractor").components[FLOW]
    assert sizes == [8, 4, 2]
    assert record.status == "empty"
    assert str(record.notes).splitlines() == [
        "Memory ran out with batch_size 8; 4 was tried.",
        "Memory ran out with batch_size 4; 2 was tried.",
    ]


def test_memory_that_is_short_with_the_smallest_batch_is_an_error(
    clip: Path, tmp_path: Path, install: Install
) -> None:
    tries: list[int] = []

    def measure(inputs: Inputs) -> Result:
        tries.append(inputs.execution.batch_size)
        raise RuntimeError("Failed to allocate memory for requested buffer of size 1")

    install(FLOW, measure)
    record = run(clip, tmp_path, FLOW, settings=["execution.batch_size=2"]).components[FLOW]
    assert tries == [2, 1]
    assert record.status == "error"
    assert "batch_size 2; 1 was tried" in str(record.notes)


def test_a_fault_of_the_moment_is_tried_again_with_growing_pauses_and_then_recorded(
    clip: Path, tmp_path: Path, install: Install, no_pause: list[float]
) -> None:
    failures = [ConnectionResetError(errno.ECONNRESET, "reset")]
    tries: list[int] = []

    def measure(inputs: Inputs) -> Result:
        tries.append(1)
        if failures:
            raise failures.pop()
        return SHORT

    install(FLOW, measure)
    record = run(clip, tmp_path, FLOW).components[FLOW]
    assert (record.status, len(tries)) == ("empty", 2)
    assert record.notes == "It was tried again after ConnectionResetError."
    failures[:] = [ConnectionResetError(errno.ECONNRESET, "reset") for _ in range(9)]
    tries.clear()
    record = run(clip, tmp_path, FLOW, force=True).components[FLOW]
    assert (record.status, len(tries)) == ("error", 3)
    assert len(no_pause) == 1


def test_what_fails_the_same_way_every_time_is_tried_once(
    clip: Path, tmp_path: Path, install: Install
) -> None:
    tries: list[int] = []

    def measure(inputs: Inputs) -> Result:
        tries.append(1)
        raise PermissionError(errno.EACCES, "no")

    install(FLOW, measure)
    assert run(clip, tmp_path, FLOW).components[FLOW].status == "error"
    assert tries == [1]


@pytest.mark.parametrize(
    ("error", "transient", "memory"),
    [
        (OSError(errno.ETIMEDOUT, "late"), True, False),
        (OSError(errno.ENOENT, "absent"), False, False),
        (StoreUnavailableError("busy"), True, False),
        (StoreUnavailableError("full", code="store_full"), False, False),
        (BadMediaError("out of memory is only its name"), False, False),
        (ValueError("wrong"), False, False),
        (MemoryError(), False, True),
        (RuntimeError("std::bad_alloc"), False, True),
        (KeyboardInterrupt(), False, False),
    ],
)
def test_each_failure_is_known_for_what_it_calls_for(
    error: BaseException, transient: bool, memory: bool
) -> None:
    assert is_of_the_moment(error) is transient
    assert is_memory_shortage(error) is memory
