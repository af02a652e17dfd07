"""A run as readers see it: its manifest, its components, their artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from filmcan.errors import NotFoundError
from filmcan.npz.artifact import Artifact
from filmcan.npz.notebook import ask_face
from filmcan.npz.reader import open_npz

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plotly.graph_objects import Figure

    from filmcan.contract.manifest import ArtifactRecord, ComponentRecord, Manifest
    from filmcan.store.base import Backend


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one video, as its manifest said when it was read.

    Attributes:
        manifest: The manifest, as records.
        path: The run's path below the store's root.
        backend: Where its bytes are.
    """

    manifest: Manifest
    path: str
    backend: Backend

    @property
    def platform_id(self) -> str:
        """Where the video is from."""
        return self.manifest.run.platform_id

    @property
    def video_id(self) -> str:
        """Which video."""
        return self.manifest.run.video_id

    @property
    def run_id(self) -> str:
        """Which run of it."""
        return self.manifest.run.run_id

    @property
    def status(self) -> str | None:
        """`ok`, `error`, or None while the run is unfinished."""
        return self.manifest.run.status

    @property
    def components(self) -> dict[str, ComponentRecord]:
        """Name -> record, in planned order."""
        return {record.name: record for record in self.manifest.components}

    def __getitem__(self, component: str) -> Artifact:
        """Open a component's artifact.

        Raises:
            NotFoundError: The run has no such component, or it ended in an error and so has no
                artifact. It is a LookupError.
            InvalidArtifactError: The artifact's container is damaged.
        """
        return self.open_artifact(self._get_record(component))

    def open_artifact(self, record: ArtifactRecord) -> Artifact:
        """Open a listed artifact."""
        place = f"{self.path}/{record.path}"
        local = self.backend.find_local_path(place)
        path = Path(local) if local is not None else None
        folder = place.rpartition("/")[0]
        return Artifact(
            open_npz(self.backend.open(place)),
            path,
            lambda name: self.backend.open(f"{folder}/{name}"),
        )

    def _get_record(self, component: str) -> ArtifactRecord:
        found = self.manifest.find_component(component)
        if found is None:
            known = ", ".join(item.name for item in self.manifest.components) or "none"
            raise NotFoundError(
                f"the run has no component {component!r}",
                where=self.path,
                hint=f"Components of this run: {known}.",
            )
        for artifact in found.artifacts:
            if artifact.kind == "npz":
                return artifact
        raise NotFoundError(
            f"{component} has no artifact: it ended with status {found.status}",
            where=self.path,
            hint=f"Its error: {found.error}" if found.error else "",
        )

    def plot(self, component: str, keys: Sequence[str] | None = None) -> Figure:
        """Return a plotly figure of a component's series, drawn as its schema says.

        Args:
            component: Which one.
            keys: Only these of its series; None: all.

        Raises:
            NotFoundError: The run has no such component, or there is nothing to draw.
            InvalidArtifactError: Its artifact is damaged.
            MissingExtraError: plotly is not installed.
        """
        return cast("Figure", ask_face("plot_run", self, component, keys))

    def _repr_html_(self) -> str:
        """Show the components in a notebook."""
        return str(ask_face("show_run", self))

    def __repr__(self) -> str:
        """Show the ids and the status."""
        return f"<Run {self.path} status={self.status or 'unfinished'}>"
