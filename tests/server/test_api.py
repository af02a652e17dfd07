"""The HTTP API: what it answers, what it saves a caller, whom it lets in."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from filmcan.operations import index_watch
from filmcan.store.deletion import delete_video
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend
from filmcan.store.store import Store
from filmcan.testing.made_server import (
    HOST,
    build_test_app,
    flip,
    open_client,
    write_healthy,
    write_schema_folder,
    write_stranger_run,
)
from filmcan.testing.made_stores import begin_run, commit, write_run
from filmcan.testing.made_views import STRANGER
from filmcan.testing.read_only_index import refuse_index_writes

STRANGE = "/api/v1/runs/local/strange/r1"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return write_healthy(tmp_path_factory.mktemp("healthy") / "store")


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_schema_folder(tmp_path_factory.mktemp("schemas")))


@pytest.fixture
def client(store: Store, schemas: str) -> TestClient:
    return open_client(store, schema_folder=schemas)


def get(client: TestClient, path: str, **params: Any) -> Any:
    response = client.get(path, params=params)
    assert response.status_code == 200, response.text
    return response.json()


def test_runs_are_found_by_filters_and_paged_without_gap_or_overlap(client: TestClient) -> None:
    everything = get(client, "/api/v1/runs", limit=500)
    assert everything["total"] == everything["total_runs"] == 5
    paths = [row["run_path"] for row in everything["runs"]]
    paged, offset = [], 0
    while offset is not None:
        page = get(client, "/api/v1/runs", limit=2, offset=offset)
        paged += [row["run_path"] for row in page["runs"]]
        offset = page["next_offset"]
    assert paged == paths
    assert get(client, "/api/v1/runs", q="V0 R2")["runs"][0]["run_id"] == "r2"
    assert get(client, "/api/v1/runs", component=STRANGER)["total"] == 1
    found = get(client, "/api/v1/runs", component_status="empty", reason="video_too_short")
    assert found["total"] == 4
    assert {row["reason"] for row in found["reasons"]} == {
        "video_too_short",
        "audio_missing_or_extract_failed",
    }
    assert get(client, "/api/v1/runs", status="error")["total"] == 0
    blank = {"q": "", "status": "", "component": "", "component_status": "", "reason": ""}
    assert get(client, "/api/v1/runs", **blank)["total"] == 5
    ordered = get(client, "/api/v1/runs", sort="video_id", descending=False)["runs"]
    assert [row["video_id"] for row in ordered] == ["strange", "v0", "v0", "v1", "v2"]


def test_a_run_written_meanwhile_is_found_by_the_next_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_watch, "PROMPT_SEC", 0.0)
    monkeypatch.setattr(index_watch, "_SHARE", 0)
    store = Store(LocalBackend(tmp_path))
    write_run(store.backend)
    app = build_test_app(store)
    app.state.filmcan.search._watch._patience_sec = 60
    client = TestClient(app, base_url=HOST)
    assert get(client, "/api/v1/runs")["total"] == 1
    commit(begin_run(store.backend, "v9"))
    page = get(client, "/api/v1/runs")
    assert (page["total"], page["statuses"]) == (2, {"ok": 1, "unfinished": 1})
    delete_video(store.backend, "local", "v1")
    assert [row["video_id"] for row in get(client, "/api/v1/runs")["runs"]] == ["v9"]
    assert get(client, "/api/v1/corpus/missingness")["runs"] == 1


def test_a_store_that_cannot_be_written_is_shown_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = write_healthy(tmp_path / "store")
    assert get(open_client(store), "/api/v1/runs")["total"] == 5
    refuse_index_writes(monkeypatch)
    write_run(store.backend, "v7", "r1")  # its index is behind from here on
    page = get(open_client(store), "/api/v1/runs", sort="video_id", limit=1)
    assert (page["total"], page["runs"][0]["video_id"]) == (6, "v7")
    monkeypatch.setenv("FILMCAN_INDEX_URL", "/dev/null/index.sqlite")
    client = open_client(store)
    assert get(client, "/api/v1/runs")["total"] == 6
    assert client.get("/runs").status_code == client.get("/corpus").status_code == 200


def test_many_callers_at_once_get_the_same_answer(store: Store) -> None:
    app = build_test_app(store)

    def ask(number: int) -> Any:
        client = TestClient(app, base_url=HOST)
        return [get(client, "/api/v1/runs", q=f"v{turn % 3}") for turn in range(number, 9)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, [0] * 8))
    assert all(answer == answers[0] for answer in answers)
    assert [page["total"] for page in answers[0][:3]] == [2, 1, 1]


def test_views_of_a_component_known_by_its_schema_alone(client: TestClient) -> None:
    address = f"{STRANGE}/components/{STRANGER}"
    assert get(client, address)["meta"]["producer"] == STRANGER
    features = get(client, f"{address}/features")["features"]
    assert features[0]["unit"] == "zest"
    assert features[1] == {
        "name": "gloom",
        "value": None,
        "unit": "",
        "missing_reason": "not measurable on this input",
        "description": "how dark it is, if at all",
    }
    series = get(client, f"{address}/series", key=["mood"], start_sec=1, end_sec=2)["series"]
    assert [row["key"] for row in series] == ["mood"]
    assert series[0]["curves"][0]["x"] == [1.0, 1.5, 2.0]
    arrays = {row["key"]: row for row in get(client, f"{address}/full")["arrays"]}
    assert arrays["thing_count"]["values"][4] is None


def test_unchanged_data_costs_a_304_and_a_changed_run_does_not(tmp_path: Path) -> None:
    store = Store(LocalBackend(tmp_path))
    run = begin_run(store.backend)
    first = commit(run)
    client = open_client(store)
    component = "/api/v1/runs/local/v1/r1/components/core_optical_flow"
    addresses = [
        "/api/v1/runs/local/v1/r1",
        "/api/v1/runs/local/v1/r1/manifest",
        component,
        f"{component}/features",
        f"{component}/series",
        f"{component}/full",
        f"{component}/files/{first.partition('/')[2]}",
        f"{component}/arrays/times_sec",
    ]
    tags = {address: client.get(address).headers["etag"] for address in addresses}
    for address, tag in tags.items():
        again = client.get(address, headers={"If-None-Match": f'"other", {tag}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    commit(run, "loudness_extractor")
    for address in addresses[:2]:
        assert client.get(address, headers={"If-None-Match": tags[address]}).status_code == 200
    for address in addresses[2:]:
        assert client.get(address, headers={"If-None-Match": tags[address]}).status_code == 304


def test_a_file_comes_whole_or_by_range_and_only_when_listed(
    client: TestClient, store: Store
) -> None:
    record = store.run("local", "strange", "r1").components[STRANGER].artifacts[0]
    name = record.path.partition("/")[2]
    address = f"{STRANGE}/components/{STRANGER}/files/{name}"
    whole = client.get(address)
    assert hashlib.sha256(whole.content).hexdigest() == record.sha256
    assert whole.headers["accept-ranges"] == "bytes"
    assert "attachment" in whole.headers["content-disposition"]
    size = len(whole.content)
    for asked, start, stop in (
        ("bytes=10-19", 10, 20),
        ("bytes=-7", size - 7, size),
        (f"bytes={size - 3}-", size - 3, size),
        (f"bytes=5-{size + 99}", 5, size),
    ):
        part = client.get(address, headers={"Range": asked})
        assert part.status_code == 206
        assert part.content == whole.content[start:stop]
        assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
    beyond = client.get(address, headers={"Range": f"bytes={size}-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{size}"
    for ignored in ("bytes=1-2,4-5", "lines=1-2", "bytes=-", "bytes=9-3"):
        assert client.get(address, headers={"Range": ignored}).status_code == 200
    stale = client.get(address, headers={"Range": "bytes=0-3", "If-Range": '"old"'})
    assert stale.status_code == 200
    assert client.get(f"{STRANGE}/components/{STRANGER}/files/manifest.json").status_code == 404
    assert client.get(f"{STRANGE}/components/{STRANGER}/files/{STRANGER}.npz").status_code == 404


def test_one_array_comes_as_npy_and_objects_never(client: TestClient) -> None:
    address = f"{STRANGE}/components/{STRANGER}/arrays"
    times = np.load(io.BytesIO(client.get(f"{address}/times_sec").content), allow_pickle=False)
    assert times.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]
    refused = client.get(f"{address}/feature_names")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "object_array")
    assert client.get(f"{address}/nothing").status_code == 404


def test_validation_tells_what_is_damaged(tmp_path: Path) -> None:
    store = write_healthy(tmp_path)
    client = open_client(store)
    sound = get(client, "/api/v1/runs/local/v1/r1/validation")
    assert (sound["valid"], sound["artifacts"]) == (True, 3)
    flip(next((tmp_path / "local/v1/r1/core_optical_flow").iterdir()), 0.5)
    broken = get(client, "/api/v1/runs/local/v1/r1/validation")
    assert not broken["valid"]
    assert "hash_mismatch" in {issue["code"] for issue in broken["issues"]}


def test_corpus_and_comparison(client: TestClient) -> None:
    missing = get(client, "/api/v1/corpus/missingness")
    assert missing["runs"] == 5
    assert {
        "component": "tempo_extractor",
        "status": "empty",
        "reason": "audio_missing_or_extract_failed",
        "count": 4,
    } in missing["rows"]
    columns = get(client, f"/api/v1/corpus/features/{STRANGER}")["columns"]
    assert [(column["name"], column["missing"], column["state"]) for column in columns] == [
        ("zest", 0, "varies"),
        ("gloom", 1, "never_measured"),
    ]
    same = get(client, "/api/v1/compare", left="local/v0/r1", right="local/v0/r2")
    assert same["is_same_source"]
    assert same["settings"] == []
    other = get(client, "/api/v1/compare", left="local/v0/r1", right="local/strange/r1")
    sides = {item["name"]: (item["is_left"], item["is_right"]) for item in other["components"]}
    assert sides[STRANGER] == (False, True)
    assert sides["core_optical_flow"] == (True, False)


def test_a_video_is_found_by_its_digest_alone(tmp_path: Path, clip: Path) -> None:
    data = clip.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    media = tmp_path / "media" / "deep"
    media.mkdir(parents=True)
    (media / "renamed.bin").write_bytes(data)
    (media / "same-size.mp4").write_bytes(bytes(len(data)))
    (media / "link.mp4").symlink_to(media / "same-size.mp4")
    store = Store(LocalBackend(tmp_path / "store"))
    write_media_run(store, "v1", digest, len(data))
    write_media_run(store, "v2", "1" * 64, len(data))
    client = open_client(store, media_roots=(str(tmp_path / "media"),))
    address = "/api/v1/runs/local/v1/r1"
    with client:
        assert client.get(f"{address}/media").content == data
        assert client.get(f"{address}/media", headers={"Range": "bytes=4-7"}).content == b"ftyp"
        frame = client.get(f"{address}/frame", params={"at_sec": 1.0, "width": "160"})
        assert frame.headers["content-type"] == "image/jpeg"
        assert frame.content.startswith(b"\xff\xd8\xff")
        assert client.get("/api/v1/runs/local/v2/r1/media").status_code == 404
        (media / "renamed.bin").write_bytes(b"x" * len(data))
        assert client.get(f"{address}/media").status_code == 404
    assert open_client(store).get(f"{address}/media").json()["error"]["code"] == "no_media_root"


def write_media_run(store: Store, video_id: str, sha256: str, size: int) -> None:
    run = begin_run(store.backend, video_id, source_sha256=sha256)
    commit(run)
    source = {"name": "c.mp4", "sha256": sha256, "size_bytes": size, "container": "mp4"}
    run.finish(source=source, peak_rss_bytes=None)


def test_every_backend_serves_the_same(tmp_path: Path) -> None:
    answers = []
    for backend in (LocalBackend(tmp_path), MemoryBackend()):
        write_stranger_run(backend)
        client = open_client(Store(backend))
        address = f"{STRANGE}/components/{STRANGER}"
        answers.append(
            [client.get(path).content for path in (STRANGE, address, f"{address}/series")]
        )
    assert answers[0] == answers[1]


def test_without_a_token_nobody_gets_in_and_with_one_a_browser_keeps_it(store: Store) -> None:
    client = open_client(store, token="s3cret-é")
    assert client.get("/api/v1/health").status_code == 200
    for path in ("/api/v1/runs", "/runs", "/metrics", "/api/v1/openapi.json"):
        refused = client.get(path)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
    wrong = {"Authorization": "Bearer wrong"}
    assert client.get("/api/v1/runs", headers=wrong).status_code == 401
    client = open_client(store, token="s3cret")
    right = {"Authorization": "bearer s3cret"}
    assert client.get("/api/v1/runs", headers=right).status_code == 200
    let_in = client.get("/runs?token=s3cret&q=v0")
    assert (let_in.status_code, let_in.headers["location"]) == (303, "/runs?q=v0")
    cookie = let_in.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/runs").status_code == 200
    for sly in ("//evil.example/x", "/\\evil.example/x"):
        where = open_client(store, token="t").get(f"{HOST}{sly}?token=t").headers["location"]
        assert where.startswith("/evil")


def test_it_answers_under_its_own_names_only_and_shares_with_nobody(store: Store) -> None:
    client = open_client(store)
    rebound = client.get("/api/v1/runs", headers={"Host": "evil.example:8765"})
    assert (rebound.status_code, rebound.json()["error"]["code"]) == (400, "wrong_host")
    assert client.get("/api/v1/runs", headers={"Host": "[::1]:80"}).status_code == 200
    asked = client.get("/api/v1/runs", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in asked.headers
    policy = asked.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    shared = open_client(store, cors_origins=("https://ours.example",))
    allowed = shared.get("/api/v1/runs", headers={"Origin": "https://ours.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://ours.example"
    other = shared.get("/api/v1/runs", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_it_only_reads(client: TestClient, method: str) -> None:
    refused = client.request(method, STRANGE)
    assert refused.status_code == 405
    assert refused.json()["error"]["code"] == "method_not_allowed"


def test_metrics_count_routes_and_name_no_ids(client: TestClient) -> None:
    client.get(STRANGE)
    client.get("/api/v1/runs/local/nobody/r1")
    text = client.get("/metrics").text
    assert 'route="/api/v1/runs/{platform_id}/{video_id}/{run_id}",status="404"' in text
    assert "nobody" not in text
    assert "strange" not in text


def test_pages_escape_what_strangers_wrote(client: TestClient) -> None:
    page = client.get("/runs/local/strange/r1")
    assert page.status_code == 200
    assert "&lt;i&gt;clip&lt;/i&gt;.mp4" in page.text
    assert "<i>clip</i>" not in page.text
    searched = client.get("/runs", params={"q": '"><script>alert(1)</script>'})
    assert "<script>alert" not in searched.text
    for path in ("/runs", "/compare", "/corpus", "/schemas", "/schemas/core_clip_npz_v1", "/x"):
        text = client.get(path).text
        assert " style=" not in text
        assert " onclick=" not in text
        assert text.count("<script") == text.count("<script src=")
