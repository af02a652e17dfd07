"""Sources behind URLs: fetched once, known by their bytes, gone from this machine afterwards."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import psutil
import pytest

from filmcan.cli.main import invoke
from filmcan.operations.batch_run import BatchOptions, process_batch
from filmcan.operations.batch_videos import BatchRules, VideoResult
from filmcan.pipeline.remote_source import parse_source
from filmcan.pipeline.source_copy import SourceCopy
from filmcan.store.object_store.client import Client
from filmcan.store.object_store.records import Tuning
from filmcan.store.store import open_store
from filmcan.testing.faulty_proxy import Fault, FaultyProxy, Once, Request
from filmcan.testing.made_batches import make_batch
from filmcan.testing.object_server import BUCKET
from filmcan.testing.store_equality import describe_store, find_difference
from filmcan.testing.web_server import QuietHandler, start_web_server

ONLY = ("loudness_extractor", "tempo_extractor", "core_optical_flow")
CLIPS = ("clip00.mp4", "clip01.mp4", "clip02.mp4")
_prefixes = itertools.count()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three clips and one file that is none."""
    folder = tmp_path_factory.mktemp("urls") / "media"
    make_batch(folder, 4, distinct=3, broken=1, poison=())
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache of this test, in which nothing is known yet."""
    monkeypatch.setenv("FILMCAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def bucket(clips: Path, object_server: str) -> str:
    """Return the URL of a folder in a bucket that holds the clips, and what is passed over."""
    prefix = f"sources/{next(_prefixes)}"
    for path in clips.iterdir():
        upload(f"{prefix}/{path.name}", path.read_bytes())
    for name in (".hidden/clip.mp4", "notes.txt"):
        upload(f"{prefix}/{name}", b"x")
    return f"s3://{BUCKET}/{prefix}/"


def run(
    sources: list[str], store: Path | str, rules: BatchRules | None = None, workers: int = 2
) -> dict[str, VideoResult]:
    options = BatchOptions(str(store), only=ONLY, workers=workers)
    report = process_batch(sources, options, rules)
    return {result.source_name: result for result in report.results}


def upload(key: str, data: bytes) -> None:
    """Write or replace an object."""
    client = Client(f"s3://{BUCKET}", Tuning())
    client.put(key.removeprefix(f"s3://{BUCKET}/"), BytesIO(data), len(data), "test")


def list_bodies(proxy: FaultyProxy) -> Counter[str]:
    """Count the requests for the bytes of each source."""
    return Counter(
        request.path.rpartition("/")[2]
        for request in proxy.requests
        if request.method == "GET" and request.path.endswith(".mp4")
    )


def list_left(cache: Path) -> list[str]:
    """Return what is left of copies."""
    return [str(path) for path in (cache / "work").iterdir()] if (cache / "work").exists() else []


def is_for(name: str) -> Callable[[Request], bool]:
    def matches(request: Request) -> bool:
        return request.method == "GET" and request.path.endswith(name)

    return matches


def test_a_bucket_is_fetched_once_and_gives_what_its_files_give(
    faulty_proxy: FaultyProxy, bucket: str, clips: Path, cache: Path, tmp_path: Path
) -> None:
    faulty_proxy.plan = Once(Fault("cut_body"), is_for("clip01.mp4"))
    remote, local = tmp_path / "remote", tmp_path / "local"
    results = run([bucket], remote)
    assert faulty_proxy.plan.has_struck
    assert {name: result.how for name, result in results.items()} == {
        **dict.fromkeys(CLIPS, "done"),
        "broken0.mp4": "failed",
    }
    bodies = list_bodies(faulty_proxy)
    assert bodies.pop("clip01.mp4") == 2, "the rest of what was cut is asked for"
    assert bodies == dict.fromkeys(["clip00.mp4", "clip02.mp4", "broken0.mp4"], 1)
    assert list_left(cache) == []
    run([str(clips / name) for name in CLIPS], local)
    described = describe_store(remote)
    for video in described.values():
        source = video["run"]["source"]
        assert source.pop("url") == f"{bucket}{source['name']}"
    assert find_difference(described, describe_store(local)) is None

    faulty_proxy.requests.clear()
    before = sorted(remote.rglob("*"))
    again = run([bucket], remote)
    assert {result.how for result in again.values()} == {"earlier", "failed"}
    assert again["broken0.mp4"].error == results["broken0.mp4"].error
    assert list_bodies(faulty_proxy) == {}
    assert sorted(remote.rglob("*")) == before


def test_what_changed_in_the_bucket_is_another_video_and_alone_is_fetched(
    faulty_proxy: FaultyProxy, bucket: str, clips: Path, cache: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    run([bucket], store)
    faulty_proxy.requests.clear()
    upload(f"{bucket}clip00.mp4", (clips / "clip01.mp4").read_bytes())
    results = run([bucket], store)
    assert list_bodies(faulty_proxy) == {"clip00.mp4": 1}
    assert results["clip00.mp4"].how == "earlier", "its bytes are those of a video that is done"
    assert results["clip00.mp4"].run_id == results["clip01.mp4"].run_id
    assert list_left(cache) == []


def test_a_list_names_objects_and_folders_of_buckets(
    bucket: str, clips: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "near.mp4").write_bytes((clips / "clip02.mp4").read_bytes())
    rows = [
        {"source": f"{bucket}clip00.mp4", "platform_id": "yt", "video_id": "-one"},
        {"source": "near.mp4", "video_id": "near"},
        {"source": bucket, "platform_id": "all"},
    ]
    path = tmp_path / "videos.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    store = tmp_path / "store"
    options = BatchOptions(str(store), only=ONLY[:1], workers=1)
    report = process_batch([str(path)], options)
    told = Counter((item.platform_id, item.how) for item in report.results)
    assert told == {
        ("yt", "done"): 1,
        ("local", "done"): 1,
        ("all", "done"): 3,
        ("all", "failed"): 1,
    }
    assert open_store(store).latest("yt", "-one").status == "ok"
    assert list_left(cache) == []


def test_objects_that_cannot_be_fetched_end_as_their_own_failures_and_are_tried_again(
    faulty_proxy: FaultyProxy, bucket: str, cache: Path, tmp_path: Path
) -> None:
    upload(f"{bucket}long.mp4", bytes(2 << 20))
    denied = Fault("answer", 403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")

    def plan(request: Request) -> Fault | None:
        if request.path.endswith("clip00.mp4"):
            return denied
        is_body = request.method == "GET" and request.path.endswith("clip01.mp4")
        return Fault("answer", 400) if is_body else None

    faulty_proxy.plan = plan
    names = ("absent.mp4", "clip00.mp4", "clip01.mp4", "clip02.mp4", "long.mp4")
    options = BatchOptions(
        str(tmp_path / "store"),
        settings={"execution.max_fetch_mib": 1},
        only=ONLY[:1],
        workers=2,
    )
    report = process_batch([f"{bucket}{name}" for name in names], options)
    errors = {item.source_name: item.error for item in report.results}
    assert errors.pop("clip02.mp4") is None
    assert {name: str(error).partition(":")[0] for name, error in errors.items()} == {
        "absent.mp4": "source_missing",
        "clip00.mp4": "source_denied",
        "clip01.mp4": "source_unreachable",
        "long.mp4": "source_too_large",
    }
    assert all(f"{bucket}{name}" in str(error) for name, error in errors.items())
    assert list_left(cache) == []
    assert not (tmp_path / "store" / "_filmcan" / "failures").exists()
    faulty_proxy.plan = lambda _: None
    report = process_batch(
        [f"{bucket}{name}" for name in names], BatchOptions(options.store, only=ONLY[:1])
    )
    failed = {item.source_name for item in report.failed}
    assert failed == {"absent.mp4", "long.mp4"}, "the last is no media"


def test_an_object_that_was_replaced_since_it_was_looked_at_is_not_worked_on(
    faulty_proxy: FaultyProxy, bucket: str, clips: Path, cache: Path, tmp_path: Path
) -> None:
    """Its digest is known, so its run is planned; then other bytes come."""
    url = f"{bucket}clip00.mp4"
    store = tmp_path / "store"
    run([url], store)
    key = url.removeprefix("s3:/")
    replaced = threading.Event()

    def plan(request: Request) -> None:
        if request.method == "GET" and request.path == key and not replaced.is_set():
            replaced.set()
            upload(url, (clips / "clip02.mp4").read_bytes())

    faulty_proxy.plan = plan
    results = run([url], store, BatchRules(force=True))
    assert replaced.is_set()
    assert str(results["clip00.mp4"].error).startswith("source_changed")
    assert not (store / "_filmcan" / "failures").exists()
    results = run([url], store)
    assert results["clip00.mp4"].how == "done"
    assert len(open_store(store).runs()) == 2
    assert list_left(cache) == []


@pytest.mark.usefixtures("cache")
def test_run_fetches_one_object_and_the_second_time_none(
    faulty_proxy: FaultyProxy,
    bucket: str,
    clips: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["run", f"{bucket}clip00.mp4", "--store", str(tmp_path / "store"), "--json"]
    command += ["--only", "loudness_extractor"]
    assert invoke(command) == 0
    first = json.loads(capsys.readouterr().out)
    assert list_left(tmp_path / "cache") == []
    assert list_bodies(faulty_proxy) == {"clip00.mp4": 1}
    assert invoke(command) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["run_id"], again["unchanged"]) == (first["run_id"], True)
    assert list_bodies(faulty_proxy) == {"clip00.mp4": 1}
    local = [*command, "--only", "tempo_extractor"]
    local[1] = str(clips / "clip00.mp4")
    assert invoke(local) == 0
    capsys.readouterr()
    runs = open_store(tmp_path / "store").runs()
    assert len({run.video_id for run in runs}) == 1, "wherever they lie, the bytes are the video"
    urls = {run.run_id: run.manifest.run.source.get("url") for run in runs}
    assert urls.pop(first["run_id"]) == command[1]
    assert list(urls.values()) == [None], "this one was made from a file"
    (later,) = (run for run in runs if run.run_id in urls)
    assert later.components["loudness_extractor"].reused_from_run_id == first["run_id"]
    assert invoke(["run", bucket]) == 6
    assert invoke(["run", f"{bucket}absent.mp4"]) == 6
    assert "there is no such object" in capsys.readouterr().err


def test_b7_a_worker_that_dies_while_it_fetches_is_replaced_once(
    faulty_proxy: FaultyProxy, bucket: str, cache: Path, tmp_path: Path
) -> None:
    deaths: list[str] = []

    def kill_the_worker(request: Request) -> None:
        name = request.path.rpartition("/")[2]
        times = {"clip00.mp4": 2, "clip01.mp4": 1}.get(name, 0)
        if request.method == "GET" and deaths.count(name) < times:
            deaths.append(name)
            for child in psutil.Process().children():
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()

    faulty_proxy.plan = kill_the_worker
    results = run([f"{bucket}{name}" for name in CLIPS], tmp_path / "store", workers=1)
    assert sorted(deaths) == ["clip00.mp4", "clip00.mp4", "clip01.mp4"]
    assert str(results["clip00.mp4"].error).startswith("worker_crashed")
    assert [results[name].how for name in CLIPS[1:]] == ["done", "done"]
    assert list_left(cache) == []


SIGNATURE = "hush-5b1f77"


class _Signed(QuietHandler):
    """Gives a file to who knows the signature, tells nothing without the body, knows no ranges."""

    content = b""

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        if f"signature={SIGNATURE}" not in self.path:
            self.send_error(403)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def do_HEAD(self) -> None:  # noqa: N802 - http.server's name
        self.send_error(403)


@pytest.fixture
def signed_url(clips: Path) -> Iterator[str]:
    content = (clips / "clip00.mp4").read_bytes()
    with start_web_server(_Signed, content=content) as url:
        yield f"{url}/a%20b/clip.mp4?signature={SIGNATURE}"


def test_b7_a_signature_in_an_address_is_shown_and_kept_nowhere(
    signed_url: str, cache: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    (tmp_path / "list.jsonl").write_text(json.dumps({"source": signed_url, "video_id": "signed"}))
    common = ["--store", str(store), "--only", "loudness_extractor", "--json"]
    batch = ["-v", "batch", str(tmp_path / "list.jsonl"), *common]
    assert invoke(batch) == 0
    assert invoke(["-v", "run", signed_url, *common]) == 0
    failing = signed_url.replace("signature", "Signature")
    assert invoke(["-v", "run", failing, *common]) == 6
    (tmp_path / "list.jsonl").write_text(json.dumps({"source": failing, "video_id": "failing"}))
    assert invoke(batch) == 4
    (tmp_path / "list.jsonl").write_text(json.dumps({"source": f"ftp://x/{SIGNATURE}"}))
    assert invoke(batch) == 2
    assert invoke(["run", f"https://user:{SIGNATURE}@host/clip.mp4"]) == 6
    assert invoke(["run", f"s3://bucket/clip.mp4?signature={SIGNATURE}"]) == 6
    shown = capfd.readouterr()
    assert "403" in shown.err
    assert SIGNATURE not in shown.out + shown.err
    kept = [path for root in (store, cache) for path in root.rglob("*") if path.is_file()]
    assert len(kept) > 4
    assert not [path for path in kept if SIGNATURE.encode() in path.read_bytes()]
    source = open_store(store).latest("local", "signed").manifest.run.source
    assert source["url"] == signed_url.partition("?")[0]
    assert source["name"] == "clip.mp4"


def _fetch_and_die(url: str) -> None:
    copy = SourceCopy(parse_source(url), limit_bytes=1 << 20)
    copy.get_path()
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_copy_of_a_killed_process_is_removed_by_the_next(bucket: str, cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_fetch_and_die, args=(f"{bucket}clip00.mp4",))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(list_left(cache)) == 2, "a folder with the copy, and its lock"
    with SourceCopy(parse_source(f"{bucket}clip01.mp4"), limit_bytes=1 << 20) as copy:
        path = copy.get_path()
        assert path.name == "clip01.mp4"
        assert {Path(left).stem for left in list_left(cache)} == {path.parent.name}
    assert list_left(cache) == []
