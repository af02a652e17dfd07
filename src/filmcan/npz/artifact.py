"""One artifact as the rest of filmcan sees it: meta, features and arrays, read when asked for.

Nothing here judges content against a schema; that is `contract.validate`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import numpy as np

from filmcan.errors import FilmcanError, InvalidArtifactError, NotFoundError
from filmcan.npz.limits import DEFAULT_LIMITS, ReadLimits
from filmcan.npz.notebook import ask_face
from filmcan.npz.reader import META, META_JSON, NpzReader, open_npz
from filmcan.npz.source import Buffer, ByteSource, open_file
from filmcan.npz.sub_artifacts import (
    SUB_ARTIFACTS,
    OpenBeside,
    SubArtifacts,
    read_references,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FEATURE_NAMES = "feature_names"
FEATURE_VALUES = "feature_values"

_RESERVED = (META, META_JSON, SUB_ARTIFACTS)


class Artifact:
    """One NPZ, open for reading as long as this object lives; `close` or `with` ends it sooner.

    It keeps reading the file it opened, also when the name is replaced meanwhile.

    Very large arrays may lie beside it, as `.npy` (C9.4); they read like any other key.

    Attributes:
        npz: The reader behind it.
    """

    def __init__(
        self,
        npz: NpzReader,
        path: str | Path | None = None,
        open_beside: OpenBeside | None = None,
    ) -> None:
        """Look at an open NPZ.

        Args:
            npz: The reader.
            path: Where it was opened from, if that is a path.
            open_beside: Opens a file of the same folder by name; None where there is no folder.
        """
        self.npz = npz
        self._path = path
        self._open_beside = open_beside
        self._has_beside = SUB_ARTIFACTS in npz

    @property
    def path(self) -> Path | None:
        """Where it was opened from, None when that is no path."""
        return None if self._path is None else Path(self._path)

    @property
    def name(self) -> str:
        """The file's base name."""
        return self.npz.name

    @cached_property
    def meta(self) -> dict[str, object]:
        """Who made the artifact, from what and how (C4).

        Raises:
            InvalidArtifactError: The artifact has no readable meta.
        """
        return self.npz.read_meta()

    @property
    def status(self) -> str:
        """`ok`, `empty` or `error`, as the meta says.

        Raises:
            InvalidArtifactError: The meta has none.
        """
        return self._text("status")

    @property
    def component(self) -> str:
        """The component that produced it, as the meta says.

        Raises:
            InvalidArtifactError: The meta has none.
        """
        return self._text("producer")

    @property
    def empty_reason(self) -> str | None:
        """Why it is empty; None when it is not."""
        reason = self.meta.get("empty_reason")
        return reason if isinstance(reason, str) and reason else None

    @cached_property
    def features(self) -> dict[str, float]:
        """The tabular part (C9.1): name -> value, in the artifact's order, NaN where not measured.

        Empty where the artifact has none.

        Raises:
            InvalidArtifactError: Names and values do not belong together.
        """
        if FEATURE_NAMES not in self.npz and FEATURE_VALUES not in self.npz:
            return {}
        names = self.npz.read(FEATURE_NAMES).tolist()
        values = self.npz.read(FEATURE_VALUES)
        fault = _find_feature_fault(names, values)
        if fault:
            raise InvalidArtifactError(fault, code="features", where=self.name)
        return dict(zip(names, values.astype(np.float64).tolist(), strict=True))

    def keys(self) -> tuple[str, ...]:
        """Return the keys of the data in sorted order, without `meta` and `meta_json`."""
        own = tuple(key for key in self.npz.keys() if key not in _RESERVED)  # noqa: SIM118
        return tuple(sorted((*own, *self.sub_artifacts.references))) if self._has_beside else own

    @cached_property
    def sub_artifacts(self) -> SubArtifacts:
        """The arrays that lie beside the NPZ.

        Raises:
            InvalidArtifactError: The references are damaged.
        """
        open_beside = self._open_beside or self._open_neighbour
        return SubArtifacts(read_references(self.npz), open_beside, self.npz)

    def dtype(self, key: str) -> np.dtype[np.generic]:
        """Return the element type of an array without reading it.

        Raises:
            NotFoundError: There is no such key.
            InvalidArtifactError: It is damaged.
        """
        if self._has_beside and key in self.sub_artifacts.references:
            return self.sub_artifacts.open(key).dtype
        return self.npz.dtype(key)

    def shape(self, key: str) -> tuple[int, ...]:
        """Return the sizes of an array's axes without reading it.

        Raises:
            NotFoundError: There is no such key.
            InvalidArtifactError: It is damaged.
        """
        if self._has_beside and key in self.sub_artifacts.references:
            return self.sub_artifacts.open(key).shape
        return self.npz.shape(key)

    def read(self, key: str, rows: slice | None = None, *, verify: bool = True) -> np.ndarray:
        """Return an array, or some rows of it; see `NpzReader.read`.

        Raises:
            NotFoundError: There is no such key.
            InvalidArtifactError: It is damaged.
        """
        if self._has_beside and key in self.sub_artifacts.references:
            return self.sub_artifacts.read(key, rows, verify=verify)
        return self.npz.read(key, rows, verify=verify)

    def map(self, key: str) -> np.ndarray:
        """Return an array read-only, without copying where possible; see `NpzReader.map`.

        Raises:
            NotFoundError: There is no such key.
            InvalidArtifactError: It is damaged.
        """
        if self._has_beside and key in self.sub_artifacts.references:
            return self.sub_artifacts.open(key).map()
        return self.npz.map(key)

    def __getitem__(self, key: str) -> np.ndarray:
        """Return the whole array, its checksum checked; the metas as they are stored."""
        return self.read(key) if self._has_beside else self.npz.read(key)

    def __contains__(self, key: object) -> bool:
        """Tell whether there is such a key."""
        return key in self.npz or (self._has_beside and key in self.sub_artifacts.references)

    def __iter__(self) -> Iterator[str]:
        """Iterate over `keys`."""
        return iter(self.keys())

    def __len__(self) -> int:
        """Count `keys`."""
        return len(self.keys())

    def close(self) -> None:
        """Close the file and those beside it; arrays and memory maps stay valid."""
        if "sub_artifacts" in self.__dict__:
            self.sub_artifacts.close()
        self.npz.close()

    def __enter__(self) -> Self:
        """Return the object itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def plot(self, keys: Sequence[str] | None = None) -> Figure:
        """Return a plotly figure of the series, drawn as the schema says.

        Args:
            keys: Only these; None: all.

        Raises:
            NotFoundError: There is nothing to draw.
            InvalidArtifactError: It is damaged.
            MissingExtraError: plotly is not installed.
        """
        return cast("Figure", ask_face("plot_artifact", self, keys))

    def _repr_html_(self) -> str:
        """Show features and arrays in a notebook."""
        return str(ask_face("show_artifact", self))

    def __repr__(self) -> str:
        """Say what it is in one line, also when meta or references cannot be read."""
        try:
            said = f"{self.component}, {self.status}"
        except FilmcanError as error:
            said = f"unreadable meta: {error.code}"
        try:
            count = f"{len(self)} keys"
        except FilmcanError as error:
            count = f"unreadable {SUB_ARTIFACTS}: {error.code}"
        return f"<Artifact {self.name}: {said}, {count}, {self.npz.size_bytes} bytes>"

    def _open_neighbour(self, name: str) -> ByteSource:
        if self.path is None:
            raise NotFoundError(
                f"{name} lies beside the artifact, which was opened without a folder",
                where=self.name,
                hint="Open the artifact by its path, or through its run.",
            )
        return open_file(self.path.parent / name)

    def _text(self, key: str) -> str:
        value = self.meta.get(key)
        if not isinstance(value, str):
            raise InvalidArtifactError(
                f"meta has no {key}", code="meta_incomplete", where=f"{self.name}: {META}"
            )
        return value


def open_artifact(
    source: str | Path | Buffer | ByteSource, limits: ReadLimits = DEFAULT_LIMITS
) -> Artifact:
    """Open one artifact; its arrays are read when asked for.

    Raises:
        NotFoundError: There is no such file.
        InvalidArtifactError: It is no NPZ, or damaged in its frame.
        StoreUnavailableError: The system refuses to read it.
    """
    path = source if isinstance(source, (str, Path)) else None
    return Artifact(open_npz(source, limits), path)


def _find_feature_fault(names: object, values: np.ndarray) -> str | None:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return f"{FEATURE_NAMES} must be one axis of strings"
    if values.dtype.kind not in "biuf" or values.shape != (len(names),):
        return f"{FEATURE_VALUES} must hold {len(names)} numbers, one for each name"
    if len(set(names)) != len(names):
        return f"{FEATURE_NAMES} names a feature twice"
    return None
