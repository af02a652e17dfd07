"""One component of a foreign run: its row and its files -> a record, and a product to commit.

The artifact decides about status and reason where it can be read (C3.3); an error never becomes
data (C6.4); what is listed but cannot be had becomes an error that says so.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, cast

from filmcan.contract.ids import find_id_fault
from filmcan.contract.imported import IMPORTED, Form
from filmcan.contract.manifest import ComponentRecord
from filmcan.contract.meta import Identity, validate_meta
from filmcan.contract.registry import get_schema, list_schema_components, list_schema_versions
from filmcan.contract.schema_rules import KEY_NAME
from filmcan.errors import InvalidContentError, InvalidSchemaError, NotFoundError
from filmcan.npz.artifact import Artifact
from filmcan.npz.npy import open_npy
from filmcan.npz.reader import open_npz
from filmcan.npz.source import FileSource, read_exactly
from filmcan.store.foreign.arrays import Upgrade, upgrade_arrays
from filmcan.store.foreign.files import find_file
from filmcan.store.foreign.meta import UNKNOWN, RunFacts, find_contradiction, upgrade_meta
from filmcan.store.foreign.outcome import FileFate, FileOutcome, RunOutcome
from filmcan.store.foreign.plain import build_plain, strip_places
from filmcan.store.transaction import Product

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from filmcan.contract.manifest import Status
    from filmcan.contract.schema import ArtifactSchema, Kind
    from filmcan.npz.source import ByteSource
    from filmcan.store.base import Backend
    from filmcan.store.foreign.files import FolderContent
    from filmcan.store.foreign.manifest import ForeignFile, ForeignRow
