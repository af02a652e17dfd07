"""The kinds of sources, by the word that names them in a catalog."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from filmcan.models.sources.hf import HfSource
from filmcan.models.sources.https import HttpsSource
from filmcan.models.sources.local import LocalSource
from filmcan.models.sources.npm import NpmSource
from filmcan.models.sources.wheel import WheelSource

if TYPE_CHECKING:
    from filmcan.models.sources.base import Source

SOURCES: Mapping[str, type[Source]] = MappingProxyType(
    {source.kind: source for source in (HfSource, HttpsSource, LocalSource, NpmSource, WheelSource)}
)
