"""A run being written from imported products: the promises of `RunTransaction`, other rules.

A carried artifact is not held to its schema, which is not in force or which it does not satisfy;
its meta is held to the whole of C4.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from filmcan.contract.imported import find_form
from filmcan.contract.meta import Identity, validate_meta
from filmcan.store.transaction import Product, RunTransaction

if TYPE_CHECKING:
    from filmcan.contract.issues import Issue
    from filmcan.contract.manifest import Manifest


class ImportTransaction(RunTransaction):
    """The one writer of an imported run in this process."""

    def close(self, finished_at: str, status: Literal["ok", "error"]) -> Manifest:
        """Record that the run was complete, and when.

        Raises:
            StoreUnavailableError: The store refused.
        """

        def change(manifest: Manifest) -> Manifest:
            return replace(
                manifest, run=replace(manifest.run, finished_at=finished_at, status=status)
            )

        return self._update(change)

    def _validate(self, product: Product) -> list[Issue]:
        if find_form(product.meta) != "carried":
            return super()._validate(product)
        identity = Identity(
            self._ids.platform_id, self._ids.video_id, self._ids.run_id, product.record.name
        )
        return validate_meta(product.meta, identity=identity)
