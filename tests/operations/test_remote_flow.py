"""The whole flow on a bucket, from `run` to `delete`, and what it costs in requests and memory."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from filmcan.cli.main import invoke
from filmcan.operations import health
from filmcan.operations.process import process_video
from filmcan.operations.validation import validate_target
from filmcan.store.deletion import delete_video
from filmcan.store.object_store.backend import ObjectStoreBackend
from filmcan.store.store import open_store
from filmcan.testing.faulty_proxy import FaultyProxy, RandomFaults
from filmcan.testing.made_stores import begin_run, commit, write_run
from filmcan.testing.object_server import BUCKET, ask
from filmcan.testing.store_suite import publish

Command = Callable[..., dict[str, object]]
_prefixes = itertools.count()


@pytest.fixture
def url(object_server: str) -> str:
    return f"s3://{BUCKET}/flow/{next(_prefixes)}"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs a command with --json and returns its object."""

    def run(*arguments: str, code: int = 0) -> dict[str, object]:
        assert invoke([*arguments, "--json"]) == code, capsys.readouterr().err
        answer = json.loads(capsys.readouterr().out)
        assert isinstance(answer, dict)
        return answer

    return run


def test_every_command_works_on_a_bucket(
    url: str, clip: Path, call: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILMCAN_STORE", url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # the index of a bucket lies there
    only = [
        part
        for name in ("loudness_extractor", "core_optical_flow", "text_processor")
        for part in ("--only", name)
    ]
    made = call("run", str(clip), "--store", url, "--video-id", "v1", *only)
    assert (made["store"], made["status"]) == (url, "ok")
    call("run", str(clip), "--store", url, "--video-id", "v2", *only[:2])
    runs = call("list", url)["runs"]
    assert isinstance(runs, list)
    assert [(item["video_id"], item["status"]) for item in runs] == [("v1", "ok"), ("v2", "ok")]
    shown = call("show", "local/v1", "--store", url)
    assert shown["status"] == "ok"
    judged = call("validate", url)
    assert (judged["runs"], judged["artifacts"]) == (2, 4)
    assert call("validate") == judged, "the environment names the store"
    assert call("fsck", url, "--data")["runs"] == 2
    swept = call("gc", url)
    assert (swept["kept_runs"], swept["removals"]) == (2, [])
    receipt = call("delete", url, "--video", "local/v2", "--yes")
    assert len(receipt["files"]) == 2
    assert [item.video_id for item in open_store(url).runs()] == ["v1"]
    assert call("fsck", url, "--data", "--repair")["runs"] == 1


def test_a_run_behind_a_bad_network_equals_one_on_a_disk(
    faulty_proxy: FaultyProxy, clip: Path, tmp_path: Path
) -> None:
    only = ["loudness_extractor", "tempo_extractor", "core_optical_flow", "text_processor"]
    local = process_video(clip, store=tmp_path / "store", run_id="r1", only=only)
    faulty_proxy.plan = RandomFaults(seed=5, share=0.1)
    remote = process_video(
        clip, store=f"s3://{BUCKET}/flow/{next(_prefixes)}", run_id="r1", only=only
    )
    assert any(request.fault is not None for request in faulty_proxy.requests)
    assert remote.status == local.status == "ok"
    for name in only:
        ours, theirs = remote[name], local[name]
        assert ours.keys() == theirs.keys()
        for key in ours:
            np.testing.assert_array_equal(ours[key], theirs[key])
        assert ours.status == theirs.status


def test_the_doctor_reports_the_store(url: str, object_server: str) -> None:
    def find_store(store: str) -> tuple[str, str]:
        check = health._check_store(store)
        return check.status, check.detail

    assert find_store(url) == ("note", f"{url} is empty")
    write_run(open_store(url).backend)
    assert find_store(url) == ("ok", f"{url} can be read")
    ask(object_server, "PUT", f"/{BUCKET}/foreign/thing", b"x")
    status, detail = find_store(f"s3://{BUCKET}/foreign")
    assert (status, "something else" in detail) == ("fail", True)
    assert find_store("s3://nowhere/x")[0] == "fail"
    assert find_store("ftp://nowhere/x")[0] == "fail"


def test_a_missing_store_is_exit_code_5(object_server: str) -> None:
    missing = f"s3://{BUCKET}/nothing/here"
    for arguments in (["list", missing], ["validate", missing], ["fsck", missing], ["gc", missing]):
        assert invoke(arguments) == 5


# --- costs ---------------------------------------------------------------------------------------


def read_cost_table() -> dict[str, tuple[int, int]]:
    """Return the table of docs/stores.md: operation -> requests that read and that write."""
    page = Path(__file__).resolve().parents[2] / "docs" / "stores.md"
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \|", page.read_text(), re.MULTILINE)
    return {name: (int(reads), int(writes)) for name, reads, writes in rows}


def test_operations_cost_the_requests_that_the_documentation_says(
    faulty_proxy: FaultyProxy,
) -> None:
    url = f"s3://{BUCKET}/costs/{next(_prefixes)}"
    backend = open_store(url).backend
    costs: dict[str, tuple[int, int]] = {}

    def measure(name: str, act: Callable[[], object]) -> None:
        faulty_proxy.requests.clear()
        act()
        count = faulty_proxy.count()
        reads = count["GET"] + count["HEAD"]
        costs[name] = (reads, count.total() - reads)

    measure("first write of a store", lambda: publish(backend, "local/v0/r0/file", b"x"))
    other = open_store(url).backend
    measure("first write of a process", lambda: publish(other, "local/v0/r0/file", b"x"))
    measure("publish a file up to 8 MiB", lambda: publish(backend, "local/v0/r0/file", b"x"))
    measure("publish a file of 20 MiB", lambda: publish(backend, "v0/r0/file", bytes(20 << 20)))
    begun = begin_run(backend, "v1")
    measure("create a run", lambda: begin_run(backend, "v2"))
    measure("commit a component", lambda: commit(begun))
    measure("commit it anew", lambda: commit(begun, reason="video_stream_missing"))
    measure("finish a run", lambda: begun.finish(source={}, peak_rss_bytes=None))
    run = open_store(url).run("local", "v1", "r1")
    measure("open a run", lambda: open_store(url).run("local", "v1", "r1"))
    artifact = run["core_optical_flow"]
    measure("open an artifact with meta and features", lambda: run["core_optical_flow"].features)
    measure("read its meta again", lambda: artifact.meta)
    url = f"{url}/runs"
    measure("list a store that is not there", lambda: open_store(url).runs())
    backend = open_store(url).backend
    for number in range(10):
        write_run(backend, f"v{number}")
    measure("list 10 videos of one run each", lambda: open_store(url).runs())
    measure("validate them, 30 small artifacts", lambda: validate_target(url))
    measure("delete one", lambda: delete_video(backend, "local", "v1"))
    assert costs == read_cost_table()


def _publish_large(url: str, size: int, sender: object) -> None:
    import resource

    backend = ObjectStoreBackend(url)
    publish(backend, "a/warm", b"x")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    block = bytes(1 << 20)
    with backend.stage("a") as staged:
        for _ in range(size >> 20):
            staged.file.write(block)
        staged.publish("a/large")
    source = backend.open("a/large")
    target = memoryview(bytearray(1 << 20))
    for offset in range(0, size, 16 << 20):
        source.read_at(offset, 100)
        source.read_into(offset, target)
    sender.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


@pytest.mark.slow
def test_memory_does_not_grow_with_what_is_uploaded(url: str) -> None:
    """KiB more at the peak than before, for 160 MiB: some parts on their way, and no more."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe()
    child = context.Process(target=_publish_large, args=(url, 160 << 20, sender))
    child.start()
    grown = receiver.recv()
    child.join()
    assert grown < 96 << 10
