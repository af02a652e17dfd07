"""P15, T9: any request gets a documented status and valid JSON, from healthy and damaged stores."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from filmcan.store.local import LocalBackend
from filmcan.store.store import Store
from filmcan.testing.made_server import (
    build_test_app,
    open_client,
    parse_strictly,
    read_json,
    write_damaged,
    write_healthy,
    write_schema_folder,
)
from filmcan.testing.made_views import STRANGER

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OWN = {"Host": "127.0.0.1"}
KNOWN = {
    "platform_id": ["local"],
    "video_id": ["v0", "v1", "v2", "strange", "broken"],
    "run_id": ["r1", "r2", "r0", "r3", "r4"],
    "component": [STRANGER, "loudness_extractor", "core_optical_flow"],
    "name": [STRANGER, "loudness_extractor"],
    "key": ["mood", "feature_names", "times_sec", "meta", "meta_json"],
    "schema_version": ["audio_npz_v1"],
}
RUNS = ["local/strange/r1", "local/v0/r1", "local/v1/r1", "local/broken/r1"]
HOSTILE = ["...", "%2e%2e", "%252e%252e%252f", "a%00b", "%ff%fe", "_filmcan", "con", "é", "a" * 200]


@pytest.fixture(scope="module", params=["healthy", "damaged"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp(request.param) / "store"
    return (write_healthy if request.param == "healthy" else write_damaged)(root)


@pytest.fixture(scope="module")
def schema(
    store: Store, tmp_path_factory: pytest.TempPathFactory
) -> schemathesis.schemas.BaseSchema:
    folder = write_schema_folder(tmp_path_factory.mktemp("schemas"))
    app = build_test_app(store, schema_folder=str(folder))
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers=OWN)


def aim(case: Case, data: st.DataObject) -> None:
    """Turn a random request into one that now and then names something that is there."""
    for name in case.path_parameters or {}:
        if name in KNOWN and data.draw(st.integers(0, 5)):
            case.path_parameters[name] = data.draw(st.sampled_from(KNOWN[name]))
    for side in ("left", "right"):
        if side in (case.query or {}) and data.draw(st.integers(0, 3)):
            case.query[side] = data.draw(st.sampled_from(RUNS))


def call(
    operation: schemathesis.schemas.APIOperation,
    mode: GenerationMode,
    *,
    examples: int,
    root: bytes,
) -> None:
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    @settings(
        max_examples=examples,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        deadline=None,
        database=None,
    )
    def check(case: Case, data: st.DataObject) -> None:
        aim(case, data)
        response = case.call(headers=OWN)
        case.validate_response(response, checks=CHECKS)
        if "json" in response.headers.get("content-type", [""])[0]:
            parse_strictly(response.content)
            assert root not in response.content

    check()


def test_p15_any_request_gets_a_documented_answer(
    schema: schemathesis.schemas.BaseSchema, store: Store
) -> None:
    root = store.url.encode()
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 15
    for operation in operations:
        call(operation, GenerationMode.POSITIVE, examples=16, root=root)
        if operation.path_parameters or operation.query:
            call(operation, GenerationMode.NEGATIVE, examples=6, root=root)


@pytest.mark.parametrize("bad", HOSTILE)
def test_p15_a_hostile_id_is_told_in_the_one_shape(store: Store, bad: str) -> None:
    client = open_client(store)
    for path in (
        f"/api/v1/runs/{bad}/v0/r1",
        f"/api/v1/runs/local/{bad}/r1/manifest",
        f"/api/v1/runs/local/v0/r1/components/{bad}",
        f"/api/v1/runs/local/v0/r1/components/loudness_extractor/files/{bad}",
        f"/api/v1/schemas/{bad}",
        f"/api/v1/compare?left={quote(bad)}&right=a/b/c",
    ):
        response = client.get(path)
        assert response.status_code in (404, 422), path
        body = read_json(response)
        assert isinstance(body, dict)
        assert set(body) == {"error"}
        assert set(body["error"]) == {"code", "message", "where", "hint"}
    for path in (f"/runs/{bad}/v0/r1", f"/schemas/{bad}"):
        page = client.get(path)
        assert page.status_code in (404, 422)
        assert page.headers["content-type"].startswith("text/html")


def test_p15_every_run_of_a_damaged_store_is_answered(tmp_path: Path) -> None:
    store = write_damaged(tmp_path / "store")
    client = open_client(store)
    seen = set()
    for path in [*store.run_paths(), "local/strange/r1"]:
        for rest in ("", "/manifest", "/validation"):
            response = client.get(f"/api/v1/runs/{quote(path)}{rest}")
            seen.add(response.status_code)
            assert response.status_code in (200, 404, 409, 422), response.text
            read_json(response)
        for component in KNOWN["component"]:
            for view in ("", "/features", "/series", "/full"):
                address = f"/api/v1/runs/{quote(path)}/components/{component}{view}"
                response = client.get(address)
                seen.add(response.status_code)
                assert response.status_code in (200, 404, 409, 422), response.text
                read_json(response)
        page = client.get(f"/runs/{quote(path)}")
        assert page.status_code in (200, 404, 409, 422), page.text
    assert {200, 404, 409} <= seen
    page = client.get("/runs")
    assert page.status_code == 200
    assert "damaged manifests" in page.text
    assert Store(LocalBackend(tmp_path / "store")).runs()
    assert client.get("/corpus?show=core_optical_flow").status_code == 200
