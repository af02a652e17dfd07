from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from filmcan.errors import AssetError
from filmcan.models.sources.base import FetchOrder
from filmcan.models.sources.hf import ENDPOINT_VARIABLE, TOKEN_VARIABLE, HfSource

BuildOrder = Callable[..., FetchOrder]

CONTENT = b"weights"
REVISION = "0123456789abcdef0123456789abcdef01234567"
SOURCE = HfSource("owner/model", REVISION, "onnx/the model.onnx")
PLACE = f"/owner/model/resolve/{REVISION}/onnx/the%20model.onnx"
TOKEN = "hf_verysecret"  # noqa: S105 - made up


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENDPOINT_VARIABLE, raising=False)
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)


@pytest.fixture
def order(build_order: BuildOrder) -> FetchOrder:
    """Return an order for the content."""
    return build_order(len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def test_a_mirror_is_asked_for_the_file_at_its_revision(
    server: Any, order: FetchOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT_VARIABLE, f"{server.url}/mirror/")
    SOURCE.fetch_to(order.work / "target", order)
    assert (order.work / "target").read_bytes() == CONTENT
    ((path, headers),) = server.requests
    assert path == f"/mirror{PLACE}"
    assert "Authorization" not in headers


def test_without_a_mirror_the_hub_itself_is_asked(
    server: Any, order: FetchOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", server.url)
    server.script = [server.refuse(404)]
    # The proxy would be told `CONNECT huggingface.co:443`; it knows no such verb.
    with pytest.raises(AssetError, match="Tunnel connection failed: 501"):
        SOURCE.fetch_to(order.work / "target", order)


def test_the_token_goes_to_the_hub_and_not_along_a_redirect_to_another_host(
    server: Any, order: FetchOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT_VARIABLE, server.url)
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    other = server.url.replace("127.0.0.1", "localhost")
    server.script = [
        server.refuse(307, Location="/moved"),
        server.refuse(302, Location=f"{other}/stored"),
    ]
    SOURCE.fetch_to(order.work / "target", order)
    sent = [(path, headers.get("Authorization")) for path, headers in server.requests]
    assert sent == [(PLACE, f"Bearer {TOKEN}"), ("/moved", f"Bearer {TOKEN}"), ("/stored", None)]


@pytest.mark.parametrize("status", [401, 404, 503])
def test_the_token_stands_in_no_error(
    server: Any,
    order: FetchOrder,
    monkeypatch: pytest.MonkeyPatch,
    waits: list[float],
    status: int,
) -> None:
    monkeypatch.setenv(ENDPOINT_VARIABLE, server.url)
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    server.script = [server.refuse(status)] * 9
    with pytest.raises(AssetError, match=f"HTTP {status}") as caught:
        SOURCE.fetch_to(order.work / "target", order)
    assert "owner/model@0123456789ab, onnx/the model.onnx" in str(caught.value)
    assert not any(
        TOKEN in repr(value)
        for error in (caught.value, caught.value.__cause__)
        for value in (error, vars(error) if error is not None else None)
    )


@pytest.mark.parametrize("value", [f"{TOKEN}\nX: y", f"{TOKEN} {TOKEN}", f"{TOKEN}ü"])
def test_a_malformed_token_is_refused_without_being_shown(
    server: Any, order: FetchOrder, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(ENDPOINT_VARIABLE, server.url)
    monkeypatch.setenv(TOKEN_VARIABLE, value)
    with pytest.raises(AssetError, match="HF_TOKEN holds characters that no token has") as caught:
        SOURCE.fetch_to(order.work / "target", order)
    assert "secret" not in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize(
    "endpoint",
    ["http://hub.example", "hub.example", "https://me:secret@hub.example", "https://h.example?a=b"],
)
def test_a_mirror_that_is_not_secure_is_refused(
    order: FetchOrder, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv(ENDPOINT_VARIABLE, endpoint)
    with pytest.raises(AssetError, match="HF_ENDPOINT is wrong: expected an address") as caught:
        SOURCE.fetch_to(order.work / "target", order)
    assert caught.value.hint == "Correct or unset HF_ENDPOINT."
    assert "secret" not in str(caught.value)
