"""Fixtures shared by all tests."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from filmcan.errors import AssetError
from filmcan.models.cache import CACHE_VARIABLE, open_cache
from filmcan.models.catalog import CATALOG_VARIABLE, load_catalog
from filmcan.models.fetch import fetch
from filmcan.models.weights import Weights, get_weights
from filmcan.testing.faulty_proxy import FaultyProxy, start_proxy
from filmcan.testing.made_media import ClipSound, ClipVideo, build_tone, make_media
from filmcan.testing.object_server import ENVIRONMENT, start_object_server

# A busy machine is no failure; `make fuzz` takes many more examples.
settings.register_profile("filmcan", settings(), deadline=None)
settings.register_profile("fuzz", settings(), deadline=None, max_examples=5000)
settings.load_profile("filmcan")

# A shell starts a background job with Ctrl-C ignored, and the children of the tests inherit that;
# of a handler they would inherit nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_REPOSITORY = Path(__file__).resolve().parent.parent


_USER_CACHE = open_cache().root


@pytest.fixture(scope="session", autouse=True)
def _empty_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide whatever weights this machine happens to have: no test may depend on them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        patch.delenv(CATALOG_VARIABLE, raising=False)
        yield


@pytest.fixture(autouse=True)
def _user_cache(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Show them to the tests that ask for `model_cache`."""
    if "model_cache" in request.fixturenames:
        monkeypatch.setenv(CACHE_VARIABLE, str(_USER_CACHE))


@pytest.fixture(autouse=True)
def _same_precedence() -> Iterator[None]:
    """Fail the test that leaves this process with precedence over others, which it would starve."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    before = os.sched_getscheduler(0)
    yield
    assert os.sched_getscheduler(0) == before, "a library asked for real-time scheduling"


@pytest.fixture(scope="session")
def media_corpus() -> Path:
    """Return the folder of real media with known truths; skip where it is not at hand."""
    named = os.environ.get("FILMCAN_MEDIA_CORPUS")
    folder = Path(named) if named else _REPOSITORY.parent / "shared" / "media"
    if not (folder / "index.json").is_file():
        pytest.skip("the media corpus is not here; set FILMCAN_MEDIA_CORPUS to its folder")
    return folder


@pytest.fixture(scope="session")
def legacy_store() -> Path:
    """Return a result store written by an older system; skip where it is not at hand."""
    named = os.environ.get("FILMCAN_LEGACY_STORE")
    folder = Path(named) if named else _REPOSITORY.parent / "shared" / "legacy"
    if not (folder / "index.json").is_file():
        pytest.skip("the legacy store is not here; set FILMCAN_LEGACY_STORE to its folder")
    return folder


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a short made clip: 2 s of a changing picture with a tone."""
    path = tmp_path_factory.mktemp("media") / "clip.mp4"
    sound = ClipSound(build_tone(2.0, hz=440.0, channels=2), layout="stereo")
    return make_media(path, ClipVideo(frames=50, rate_hz=25, size=(160, 96)), sound)


@pytest.fixture(scope="session")
def started_object_server() -> Iterator[str]:
    """Run one object store for all tests and return its URL."""
    with start_object_server() as url:
        yield url


@pytest.fixture
def object_server(started_object_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of an object store that this test's environment names."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", started_object_server)
    return started_object_server


@pytest.fixture
def faulty_proxy(object_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """Run a proxy in front of the object store, and let the environment name it."""
    with start_proxy(object_server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.fixture(scope="session")
def model_cache() -> Callable[[str], Weights]:
    """Return a function from an asset's name to its real weights, fetched on first use.

    They lie in the cache of whoever runs the tests, so a second run fetches nothing. Where no
    source can be reached the test is skipped; `FILMCAN_REQUIRE_MODELS=1` makes that a failure.
    """
    root = _USER_CACHE

    @functools.cache
    def get(name: str) -> Weights:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(CACHE_VARIABLE, str(root))
            patch.delenv(CATALOG_VARIABLE, raising=False)
            try:
                fetch(load_catalog().get(name))
            except AssetError as error:
                unreachable = error.code in ("asset_unreachable", "asset_offline")
                if not unreachable or os.environ.get("FILMCAN_REQUIRE_MODELS"):
                    raise
                pytest.skip(f"the weights of {name} cannot be fetched: {error}")
            return get_weights(name)

    return get
