"""What lives as long as the server: settings, the store, and caches that are bounded."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property

from fastapi import Request

from filmcan.operations.assets import list_assets
from filmcan.operations.corpus import FeatureReader
from filmcan.operations.rules import read_rules
from filmcan.operations.run_search import open_run_search
from filmcan.operations.snapshots import SnapshotTaker
from filmcan.operations.sources import SourceFinder
from filmcan.operations.targets import Run, Store, open_existing_store
from filmcan.operations.versions import find_version


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server was started.

    Attributes:
        store: Path or URL of the store.
        media_roots: Folders in which sources are looked for.
        token: What a caller must show; None lets everybody in who reaches the address.
        hosts: Names under which the server may be called; empty for any.
        cors_origins: Web origins that may read answers; none by default.
        schema_folder: Holds machine schemas of components by others; None for the registry alone.
    """

    store: str
    media_roots: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    cors_origins: tuple[str, ...] = ()
    schema_folder: str | None = None


class State:
    """One server's state. Everything slow to make is made when it is first asked for."""

    def __init__(self, settings: Settings, store: Store | None = None) -> None:
        """Open the store and the media folders.

        Args:
            settings: How it was started.
            store: An open store; None opens the one that the settings name.

        Raises:
            StoreUnavailableError: There is no such store.
            NotFoundError: There is no such media folder.
            BadProfileError: `FILMCAN_INDEX_URL` means nothing.
        """
        self.settings = settings
        self.store = store if store is not None else open_existing_store(settings.store)
        self.sources = SourceFinder(settings.media_roots)
        self.find_rules = read_rules(settings.schema_folder)
        self.version = find_version()
        self.search = open_run_search(self.store)
        self.features = FeatureReader()
        self.snapshots = SnapshotTaker()
        self.validating = threading.Lock()

    @cached_property
    def licences(self) -> dict[str, str]:
        """Model -> licence, by the asset catalog."""
        return {asset.name: asset.license for asset in list_assets()}

    def get_run(self, platform_id: str, video_id: str, run_id: str) -> Run:
        """Return a run, read afresh.

        Raises:
            NotFoundError: There is no such run.
            InvalidContentError: Its manifest is damaged, or an id is refused.
            StoreUnavailableError: The store refused.
        """
        return self.store.run(platform_id, video_id, run_id)


def get_state(request: Request) -> State:
    """Return the state of the server that answers a request."""
    state: State = request.app.state.filmcan
    return state
