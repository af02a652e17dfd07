"""Where an index lies unless told otherwise."""

from __future__ import annotations

from filmcan.store.base import HOUSEKEEPING

INDEX_VARIABLE = "FILMCAN_INDEX_URL"
INDEX_PATH = f"{HOUSEKEEPING}/index.sqlite"
