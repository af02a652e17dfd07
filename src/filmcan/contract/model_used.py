"""One row of `models_used`: what network produced numbers, and on what (C4.3)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """What ran, as recorded in meta and manifest; the order of fields is that of the record.

    Attributes:
        model_name: Name of the asset in the catalog.
        model_version: Its version there.
        weights_digest: `sha256:` and the hex digest of the weight file that produced the numbers.
        runtime: Library that ran it, with its version, for example `onnxruntime 1.31.1`.
        engine: What of that library, for example `CPUExecutionProvider` or `xnnpack`.
        precision: Element type of the weights, for example `float32`.
        device: `cpu`, `cuda:0`, ...: what it really ran on, also after a fallback.
    """

    model_name: str
    model_version: str
    weights_digest: str
    runtime: str
    engine: str
    precision: str
    device: str
