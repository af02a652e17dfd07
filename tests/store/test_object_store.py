"""The object store backend on a real server, alone and behind a proxy that does harm."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from filmcan.contract.manifest import Manifest, parse_manifest
from filmcan.errors import (
    FilmcanError,
    InvalidContentError,
    MissingExtraError,
    NotFoundError,
    StoreUnavailableError,
)
from filmcan.store.base import RESERVE, Backend
from filmcan.store.deletion import delete_video
from filmcan.store.inspect import inspect_store
from filmcan.store.manifests import read_manifest
from filmcan.store.object_store.address import is_loopback
from filmcan.store.object_store.backend import ObjectStoreBackend
from filmcan.store.object_store.records import Tuning
from filmcan.store.store import Store, open_store
from filmcan.store.sweep import SweepRules, sweep_store
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import build_product, build_run_record
from filmcan.testing.faulty_proxy import Fault, FaultyProxy, Once, RandomFaults, Request, never
from filmcan.testing.made_stores import (
    PATIENT,
    begin_run,
    clock,
    commit,
    open_bucket,
    read_all,
    reopen,
    write_run,
)
from filmcan.testing.object_server import BUCKET, ask, fill_bucket
from filmcan.testing.store_suite import StoreSuite, publish

_prefixes = itertools.count()
_LIMIT = 1 << 20
_WRITERS = 8
_COMPONENTS = {
    **{
        f"core_{name}": f"core_{name}_npz_v1"
        for name in ("optical_flow", "clip", "depth_midas", "object_detections", "face_landmarks")
    },
    "loudness_extractor": "audio_npz_v1",
    "tempo_extractor": "audio_npz_v1",
    "clap_extractor": "audio_npz_v1",
}


class TestObjectStore(StoreSuite):
    @pytest.fixture
    def backend(self, object_server: str) -> Backend:
        return open_bucket(f"direct/{next(_prefixes)}")

    def reopen(self, backend: Backend) -> Backend:
        return reopen(backend)


class TestFaultyObjectStore(StoreSuite):
    """P14, T7: the same answers where one request in eight meets with a fault."""

    @pytest.fixture
    def backend(self, faulty_proxy: FaultyProxy) -> Backend:
        faulty_proxy.plan = RandomFaults(seed=1, share=0.12)
        return open_bucket(f"faulty/{next(_prefixes)}")

    def reopen(self, backend: Backend) -> Backend:
        return reopen(backend)


@pytest.fixture
def backend(faulty_proxy: FaultyProxy) -> ObjectStoreBackend:
    return open_bucket(f"store/{next(_prefixes)}")


def find_key(backend: Backend, path: str) -> str:
    return f"{backend.url.removeprefix('s3://')}/{path}"


# --- P14, P6 -------------------------------------------------------------------------------------


def live_through(backend: Backend) -> dict[str, object]:
    """Do all that is done to a store, and return every answer that does not name a random token."""
    answers: dict[str, object] = {}

    def note(name: str, answer: object) -> None:
        answers[name] = answer

    for video in ("v1", "v2", "doomed"):
        write_run(backend, video)
    writer = begin_run(backend, "v1", "r2")
    note("commits", [commit(writer, seed=number) for number in range(2)])
    with pytest.raises(FilmcanError) as caught:
        begin_run(backend, "v1", "r2")
    note("again", (type(caught.value), caught.value.code))
    note("runs", [(run.path, run.status) for run in Store(backend).runs()])
    note("latest", Store(backend).latest("local", "v1").run_id)
    note("meta", [run["core_optical_flow"].meta for run in Store(backend).runs()])
    note("receipt", [file.path for file in delete_video(backend, "local", "doomed").files])
    note("survivors", [run.path for run in Store(backend).runs()])
    publish(backend, "local/v2/r1/stray.bin", b"stray")
    swept = sweep_store(backend, SweepRules(grace_sec=-1.0), dry_run=False)
    note("swept", [(item.kind, item.path, item.files, item.size_bytes) for item in swept.removals])
    found = inspect_store(backend, with_data=True)
    note("judged", (found.runs, found.artifacts, found.read_bytes))
    note("findings", [(item.issue.code, item.issue.where) for item in found.findings])
    for name, path in (("absent", "local/v9/r1"), ("outside", "../x")):
        with pytest.raises(FilmcanError) as caught:
            read_manifest(backend, path)
        note(name, type(caught.value) if name == "outside" else caught.value.code)
    return answers


def build_picture(backend: Backend) -> dict[str, object]:
    """Return what a store holds: bytes, but of manifests and tombstones what they say."""
    picture: dict[str, object] = {}
    for path, data in read_all(backend).items():
        if path.endswith("manifest.json"):
            manifest = parse_manifest(data)
            run = replace(manifest.run, write_id="")
            picture[path] = replace(manifest, run=run)
        elif path.startswith("_filmcan/tombstones/"):
            picture[path] = re.sub(rb"\b[0-9a-f]{16}\b", b"token", data)
        elif data and not path.endswith(".lock") and path != RESERVE:
            picture[path] = hashlib.sha256(data).hexdigest()
    return picture


def test_p14_the_same_work_gives_the_same_answers_and_the_same_store_on_every_backend(
    open_backend: Callable[[str], Backend], faulty_proxy: FaultyProxy
) -> None:
    local = open_backend("local")
    answers, picture = live_through(local), build_picture(local)
    assert len(answers) == 12
    assert sum(isinstance(value, Manifest) for value in picture.values()) == 3
    for kind in ("memory", "s3", "faulty s3"):
        if kind == "faulty s3":
            faulty_proxy.plan = RandomFaults(seed=2, share=0.12)
        other = open_backend(kind.removeprefix("faulty "))
        assert live_through(other) == answers, kind
        assert build_picture(other) == picture, kind
    assert sum(request.fault is not None for request in faulty_proxy.requests) > 20


def write_eight_at_once(handles: list[Backend]) -> Manifest:
    """Let as many threads create or join one run, commit twice each, and finish it."""
    failures: list[BaseException] = []
    record = build_run_record(planned=tuple(_COMPONENTS))

    def write(handle: Backend, name: str) -> None:
        try:
            writer = RunTransaction.create_or_join(handle, record, clock)
            for seed in range(2):
                reason = build_product(record, name, _COMPONENTS[name], reason=REASONS[name])
                product = replace(reason, meta={**reason.meta, "seed": seed})
                writer.commit(product)
        except BaseException as error:  # noqa: BLE001 - shown to the test
            failures.append(error)

    threads = [
        threading.Thread(target=write, args=pair) for pair in zip(handles, _COMPONENTS, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return read_manifest(handles[0], "local/v1/r1")


REASONS = {
    name: "audio_missing_or_extract_failed" if name.endswith("extractor") else "video_too_short"
    for name in _COMPONENTS
}


@pytest.mark.parametrize("has_leases", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.15])
def test_p6_eight_racing_writers_lose_no_upsert(
    faulty_proxy: FaultyProxy,
    monkeypatch: pytest.MonkeyPatch,
    share: float,
    *,
    has_leases: bool,
) -> None:
    """Also where no lease keeps them apart: then conditional writes alone must do."""
    if not has_leases:
        monkeypatch.setattr(
            ObjectStoreBackend, "exclusive", lambda self, name: contextlib.nullcontext()
        )
    faulty_proxy.plan = RandomFaults(seed=4, share=share)
    handles = [open_bucket(f"race/{share}/{has_leases}") for _ in range(_WRITERS)]
    manifest = write_eight_at_once([*handles])
    assert {item.name for item in manifest.components} == set(_COMPONENTS)
    # One created, seven joined, each committed twice: nothing was lost, nothing counted twice.
    assert manifest.run.revision == _WRITERS + 2 * _WRITERS
    faulty_proxy.plan = never
    inspection = inspect_store(handles[0], with_data=True)
    assert [item.issue.code for item in inspection.findings if item.issue.level == "error"] == []


# --- staging -------------------------------------------------------------------------------------


def stage_large(backend: Backend, path: str, size: int = 12 << 20) -> str:
    """Publish a file that is uploaded in parts, and return its digest."""
    block = bytes(range(256)) * 4096
    digest = hashlib.sha256()
    with backend.stage(path.rpartition("/")[0]) as staged:
        for _ in range(size // len(block)):
            staged.file.write(block)
            digest.update(block)
        staged.publish(path)
    return digest.hexdigest()


def list_uploads(server: str) -> int:
    status, body = ask(server, "GET", f"/{BUCKET}?uploads=")
    assert status == 200
    return body.count(b"<Upload>")


def test_a_large_file_is_uploaded_once_in_parts(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy, object_server: str
) -> None:
    publish(backend, "a/warm", b"x")
    faulty_proxy.requests.clear()
    digest = stage_large(backend, "a/large")
    assert [request.method for request in faulty_proxy.requests] == ["POST", "PUT", "PUT", "POST"]
    assert hashlib.sha256(backend.read("a/large", limit=1 << 30)).hexdigest() == digest
    assert list_uploads(object_server) == 0


def test_p5_of_a_large_file_that_fails_nothing_is_left(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy, object_server: str
) -> None:
    publish(backend, "a/large", b"former")
    faulty_proxy.plan = lambda request: (
        Fault("answer", 503) if "partNumber=2" in request.query else None
    )
    with pytest.raises(StoreUnavailableError, match="503"):
        stage_large(backend, "a/large")
    assert backend.read("a/large", limit=_LIMIT) == b"former"
    assert list_uploads(object_server) == 0


@pytest.mark.parametrize("fault", [Fault("cut_after"), Fault("repeat"), Fault("answer_after", 404)])
@pytest.mark.parametrize("size", [1 << 20, 12 << 20])
def test_p14_a_lost_reply_to_an_upload_is_resolved(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy, fault: Fault, size: int
) -> None:
    publish(backend, "a/warm", b"x")

    def is_last(request: Request) -> bool:
        is_whole = request.method == "PUT" and not request.query
        return is_whole or (request.method == "POST" and "uploadId" in request.query)

    faulty_proxy.plan = strike = Once(fault, is_last)
    digest = stage_large(backend, "a/large", size)
    assert strike.has_struck
    assert hashlib.sha256(backend.read("a/large", limit=1 << 30)).hexdigest() == digest


def test_an_upload_that_is_denied_says_so(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy
) -> None:
    publish(backend, "a/file", b"x")
    faulty_proxy.plan = lambda request: Fault("answer", 403) if request.method == "PUT" else None
    with pytest.raises(StoreUnavailableError) as refusal:
        publish(backend, "a/file", b"y")
    assert refusal.value.code == "store_denied"
    assert backend.read("a/file", limit=10) == b"x"


def test_a_file_is_published_where_it_was_staged_for(backend: ObjectStoreBackend) -> None:
    with backend.stage("a/b") as staged, pytest.raises(ValueError, match="staged for a/b"):
        staged.publish("a/c/file")


def test_scratch_space_that_fails_is_a_typed_error(
    backend: ObjectStoreBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    class Full(io.BytesIO):
        write = seek = refuse  # type: ignore[assignment]

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: Full())
    for path in ("a/file", "a/other"):
        with pytest.raises(StoreUnavailableError) as refusal, backend.stage("a") as staged:
            staged.publish(path)
        assert refusal.value.code == "scratch_unusable"
    with pytest.raises(StoreUnavailableError), backend.stage("a") as staged:
        staged.file.write(b"x")
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(StoreUnavailableError, match="No space left"):
        backend.stage("a")
    assert backend.list_folder("a").files == {}


# --- names ---------------------------------------------------------------------------------------


def test_a_listing_has_all_pages(backend: ObjectStoreBackend) -> None:
    fill_bucket(find_key(backend, f"many/{number:04}").partition("/")[2] for number in range(1005))
    fill_bucket(find_key(backend, f"many/d{n:04}/f").partition("/")[2] for n in range(1005))
    listing = backend.list_folder("many")
    assert list(listing.files) == [f"{number:04}" for number in range(1005)]
    assert listing.folders == tuple(f"d{number:04}" for number in range(1005))


@pytest.mark.parametrize("status", [403, 503])
def test_p12_a_page_that_fails_fails_the_listing(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy, status: int
) -> None:
    fill_bucket(find_key(backend, f"{number:04}").partition("/")[2] for number in range(1005))
    faulty_proxy.plan = lambda request: (
        Fault("answer", status) if "continuation-token" in request.query else None
    )
    with pytest.raises(StoreUnavailableError):
        backend.list_folder("")
    faulty_proxy.plan = Once(
        Fault("answer", 503), lambda request: "continuation-token" in request.query
    )
    assert len(backend.list_folder("").files) == 1005


def test_p10_neither_listing_nor_moving_leaves_the_prefix(object_server: str) -> None:
    ask(object_server, "PUT", f"/{BUCKET}/near/store-2/file", b"x")
    ask(object_server, "PUT", f"/{BUCKET}/near/beside", b"x")
    backend = open_bucket("near/store")
    publish(backend, "a/file", b"x")
    publish(backend, "ab/file", b"x")
    assert backend.list_folder("").folders == ("_filmcan", "a", "ab")
    backend.move("a", "b")
    assert backend.list_folder("").folders == ("_filmcan", "ab", "b")
    assert open_bucket("near").read("store-2/file", limit=9) == b"x"
    for path in ("../beside", "a/../../beside", "/beside", "a//b"):
        for act in (
            backend.open,
            backend.remove,
            backend.list_folder,
            backend.stage,
            lambda path: backend.swap(path, b"x", expected=None),
            lambda path: backend.find_versioned(path, limit=9),
            lambda path: backend.move("ab", path),
            lambda path: backend.move(path, "c"),
        ):
            with pytest.raises(InvalidContentError):
                act(path)


def test_names_are_kept_as_they_are(backend: ObjectStoreBackend) -> None:
    names = ["ü ö.json", "100%25.txt", "a~b#c?d", "-start", "_tmp_x", "ключ"]
    for name in names:
        publish(backend, f"odd/{name}", name.encode())
    assert list(backend.list_folder("odd").files) == sorted(names)
    for name in names:
        assert backend.read(f"odd/{name}", limit=100) == name.encode()
    with pytest.raises(InvalidContentError):
        backend.read("odd/a\nb", limit=100)


def test_an_object_that_stands_for_an_empty_folder_is_no_file(
    backend: ObjectStoreBackend, object_server: str
) -> None:
    publish(backend, "a/file", b"x")
    ask(object_server, "PUT", f"/{find_key(backend, 'a')}/")
    assert list(backend.list_folder("a").files) == ["file"]


def test_a_name_that_is_no_path_stops_a_listing(
    backend: ObjectStoreBackend, object_server: str
) -> None:
    ask(object_server, "PUT", f"/{find_key(backend, 'a')}//file")
    with pytest.raises(StoreUnavailableError) as refusal:
        backend.list_folder("a")
    assert refusal.value.code == "foreign_names"


def test_a_move_that_was_cut_short_can_be_made_again(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy
) -> None:
    """After a crash both names are there; nothing is lost."""
    for name in ("one", "two"):
        publish(backend, f"a/{name}", name.encode())
    faulty_proxy.plan = lambda request: (
        Fault("answer", 403)
        if request.headers.get("x-amz-copy-source", "").endswith("two")
        else None
    )
    with pytest.raises(StoreUnavailableError):
        backend.move("a", "b")
    faulty_proxy.plan = never
    assert list(backend.list_folder("a").files) == ["one", "two"]
    assert list(backend.list_folder("b").files) == ["one"]


def test_a_removal_whose_reply_was_lost_is_made_again(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy
) -> None:
    publish(backend, "a/file", b"x")
    faulty_proxy.plan = strike = Once(
        Fault("cut_after"), lambda request: request.method in ("POST", "DELETE")
    )
    backend.remove("a/file")
    assert strike.has_struck
    assert backend.list_folder("a").files == {}


def test_a_removal_that_the_server_puts_off_is_made_again(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy
) -> None:
    """S3 answers 200 for the whole and names the object that it did not remove."""
    publish(backend, "a/file", b"x")
    key = find_key(backend, "a/file").partition("/")[2]
    error = "<Error><Key>{}</Key><Code>{}</Code><Message>-</Message></Error>"
    body = f"<DeleteResult>{error}</DeleteResult>"
    slow, denied = (
        Fault("answer", 200, body.format(key, code).encode())
        for code in ("SlowDown", "AccessDenied")
    )
    faulty_proxy.plan = lambda request: denied if request.query == "delete" else None
    with pytest.raises(StoreUnavailableError, match="AccessDenied"):
        backend.remove("a/file")
    faulty_proxy.plan = strike = Once(slow, lambda request: request.query == "delete", times=2)
    backend.remove("a/file")
    assert strike.has_struck
    assert backend.list_folder("a").files == {}


@pytest.mark.parametrize("size", [10, 40, 60])
def test_p2_a_reply_that_was_cut_is_never_completed_from_another_object(
    backend: ObjectStoreBackend, faulty_proxy: FaultyProxy, size: int
) -> None:
    """The client library asks for the rest of the reply, after others have replaced the object."""
    other = reopen(backend)
    version = other.swap("r/manifest.json", b"1" * 40, expected=None)
    reads: list[Request] = []

    def cut_and_replace(request: Request) -> Fault | None:
        if request.method != "GET":
            return None
        reads.append(request)
        if len(reads) == 2:
            other.swap("r/manifest.json", b"2" * size, expected=version)
        return Fault("cut_body") if len(reads) == 1 else None

    faulty_proxy.plan = cut_and_replace
    assert backend.read("r/manifest.json", limit=100) == b"2" * size
    assert reads[1].headers["range"] == "bytes=20-39"


# --- opening -------------------------------------------------------------------------------------


def test_a_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("filmcan.store.object_store."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(MissingExtraError, match="obstore is not installed") as refusal:
        open_store("s3://bucket/prefix")
    assert refusal.value.hint == 'pip install "filmcan[s3]"'


def test_a_forked_process_is_told_that_it_would_hang(
    backend: ObjectStoreBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(backend, "a/file", b"x")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    for act in (
        lambda: backend.read("a/file", limit=9),
        lambda: reopen(backend).stage("a"),
        lambda: backend.list_folder("a"),
    ):
        with pytest.raises(StoreUnavailableError) as refusal:
            act()
        assert refusal.value.code == "forked"


def test_a_store_is_opened_by_its_url(object_server: str) -> None:
    url = f"s3://{BUCKET}/opened/{next(_prefixes)}"
    with pytest.raises(StoreUnavailableError) as refusal:
        open_store(url, must_exist=True)
    assert refusal.value.code == "no_store"
    store = open_store(f"{url}/")
    assert store.url == url
    assert store.runs() == []
    write_run(store.backend)
    assert [run.path for run in open_store(url, must_exist=True).runs()] == ["local/v1/r1"]
    assert store.backend.find_local_path("local/v1/r1") is None


@pytest.mark.parametrize("url", ["gs://bucket/prefix", "az://container/prefix"])
def test_other_clouds_are_opened_by_the_same_library(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    assert open_store(url).url == url


def test_a_missing_bucket_is_named(object_server: str) -> None:
    backend = ObjectStoreBackend("s3://nowhere/prefix", PATIENT)
    for act in (
        lambda: backend.list_folder(""),
        lambda: backend.read("a", limit=9),
        lambda: backend.stage("a"),
        lambda: backend.swap("a", b"", expected=None),
    ):
        with pytest.raises(StoreUnavailableError) as refusal:
            act()
        assert (refusal.value.code, refusal.value.where) == ("no_store", "s3://nowhere/prefix")


def test_a_server_that_is_not_there_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, object_server: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreUnavailableError, match="cannot be used"):
        ObjectStoreBackend("s3://b/p", replace(PATIENT, tries=2)).list_folder("")


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://127.0.0.1:9000", True),
        ("http://[::1]:9000", True),
        ("http://localhost:9000", True),
        ("http://192.168.1.7:9000", False),
        ("http://example.org", False),
        ("http://", False),
        ("https://127.0.0.1", False),
        ("", False),
    ],
)
def test_plain_http_is_spoken_to_this_machine_only(endpoint: str, *, expected: bool) -> None:
    assert is_loopback({"AWS_ENDPOINT_URL": endpoint}) is expected


def test_the_defaults_bound_memory() -> None:
    tuning = Tuning()
    assert tuning.part_bytes * tuning.parallel <= 32 << 20


def test_a_clock_needs_a_store(backend: ObjectStoreBackend) -> None:
    with pytest.raises(NotFoundError):
        backend.read_clock()
    publish(backend, "a/file", b"x")
    assert backend.read_clock() == pytest.approx(reopen(backend).read_clock(), abs=60)
