"""Digests that say "the same": of settings, of models, of everything a result depends on (C11)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from filmcan.contract.canonical import canonical_json

EXECUTION_SECTION = "execution"
"""The part of a profile that says how a run is executed, never what it measures."""


def hash_canonical(value: object) -> str:
    """Return the sha256 of a value's canonical JSON, lower-case hex."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def hash_config(profile: Mapping[str, object]) -> str:
    """Return `config_hash`: the digest of a resolved profile without `execution` (C11.1)."""
    return hash_canonical({key: profile[key] for key in profile if key != EXECUTION_SECTION})


def sign_models(models_used: Iterable[Mapping[str, object]]) -> str:
    """Return `model_signature`: the digest of the `models_used` records, in sorted order (C11.2).

    Without models it is the digest of an empty list, so that "no model" is a signature too.
    """
    return hash_canonical(sorted((dict(row) for row in models_used), key=canonical_json))


@dataclass(frozen=True, slots=True)
class ReuseKey:
    """What a component result depends on, and the digest of it all (C11.3)."""

    parts: Mapping[str, object]

    @property
    def digest(self) -> str:
        """The key: lower-case hex."""
        return hash_canonical(dict(self.parts))
