"""A corpus of hostile and damaged NPZ files, at least two for each bullet of threats B1-B3.

Each is built by code and breaks the rule it is named for. A reader must answer every one with
`InvalidArtifactError` (the code is part of the case), execute nothing, and stay within bounds.
"""

from __future__ import annotations

from filmcan.testing import (
    hostile_members,
    hostile_meta_json,
    hostile_npy,
    hostile_pickle,
    hostile_zip,
)
from filmcan.testing.hostile_case import HostileCase

CASES: dict[str, HostileCase] = {
    **hostile_pickle.CASES,
    **hostile_members.CASES,
    **hostile_meta_json.CASES,
    **hostile_npy.CASES,
    **hostile_zip.CASES,
}
