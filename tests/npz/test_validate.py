"""C8: an artifact's file is judged whole, and judging never raises on bad content."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import filmcan
from filmcan.contract.meta import Identity
from filmcan.errors import NotFoundError
from filmcan.npz.validate import validate_npz
from filmcan.npz.writer import write_npz
from filmcan.store.transaction import Product
from filmcan.testing.artifacts import COMPONENT, build_product, build_run_record

PLACE = Identity("local", "v1", "r1", COMPONENT)


def write(path: Path, product: Product) -> Path:
    with path.open("x+b") as file:
        write_npz(file, product.arrays, product.meta)
    return path


def codes(path: Path, *arguments: object, **options: object) -> list[str]:
    report = validate_npz(path, *arguments, **options)  # type: ignore[arg-type]
    return [issue.code for issue in report]


@pytest.fixture
def product() -> Product:
    return build_product(build_run_record())


def test_c8_a_good_artifact_has_no_issue(tmp_path: Path, product: Product) -> None:
    path = write(tmp_path / "a.npz", product)
    assert codes(path) == []
    assert codes(path, identity=PLACE) == []
    assert filmcan.validate_npz(path).ok


def test_c8_meta_is_held_to_its_place(tmp_path: Path, product: Product) -> None:
    path = write(tmp_path / "a.npz", product)
    elsewhere = Identity("local", "v2", "r1", COMPONENT)
    assert codes(path, identity=elsewhere) == ["meta_place"]


def test_c8_arrays_are_held_to_the_schema(tmp_path: Path, product: Product) -> None:
    arrays = {**product.arrays, "dt_sec": np.float64([1]), "more": np.zeros(1)}
    path = write(tmp_path / "a.npz", Product(product.record, arrays, product.meta))
    assert sorted(codes(path)) == ["dtype", "key_unknown"]


def test_c6_an_error_must_not_have_an_artifact(tmp_path: Path) -> None:
    product = build_product(build_run_record(), status="error", empty_reason=None)
    assert "error_with_artifact" in codes(write(tmp_path / "a.npz", product))


def with_schema(product: Product, schema_version: str) -> Product:
    return replace(product, meta={**product.meta, "schema_version": schema_version})


def test_c8_an_unknown_schema_is_an_error_unless_allowed(tmp_path: Path, product: Product) -> None:
    product = with_schema(product, "core_optical_flow_npz_v9")
    path = write(tmp_path / "a.npz", product)
    assert codes(path) == ["schema_unknown"]
    assert codes(path, allow_unknown_schema=True) == []


def test_c8_frame_indices_are_judged_without_a_schema_too(tmp_path: Path, product: Product) -> None:
    product = with_schema(product, "x_npz_v1")
    arrays = {**product.arrays, "frame_indices": np.int32([3, 3])}
    path = write(tmp_path / "a.npz", Product(product.record, arrays, product.meta))
    assert codes(path, allow_unknown_schema=True) == ["not_increasing"]


def save_legacy(path: Path, **meta: object) -> Path:
    np.savez(path, meta=np.array(meta, dtype=object), frame_indices=np.int32([0, 5]))
    return path


def test_c8_a_given_list_relaxes_the_meta_of_foreign_artifacts(tmp_path: Path) -> None:
    path = save_legacy(tmp_path / "a.npz", producer="x", status="ok", schema_version="x_v2")
    strict = codes(path)
    assert "meta_key_missing" in strict
    assert "meta_json_missing" in strict
    assert "schema_unknown" in strict
    assert codes(path, ["producer", "status"], allow_unknown_schema=True) == []
    assert codes(path, [], allow_unknown_schema=True) == []
    assert codes(path, ["run_id"], allow_unknown_schema=True) == ["meta_key_missing"]


def test_an_artifact_without_any_schema_version_is_judged_as_far_as_possible(
    tmp_path: Path,
) -> None:
    path = save_legacy(tmp_path / "a.npz", producer="x", status="ok")
    report = validate_npz(path, [])
    assert report.ok
    assert [issue.code for issue in report] == ["schema_unknown"]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: path.write_bytes(b""), None),
        (lambda path: path.write_bytes(b"not a zip at all" * 100), None),
        (lambda path: np.savez(path, a=np.zeros(3)), "meta_missing"),
        (lambda path: np.savez(path, meta=np.zeros(3)), None),
        (lambda path: np.savez(path, meta=np.array([1], dtype=object)), None),
        (os.mkfifo, None),
        (lambda path: path.mkdir(), None),
    ],
)
def test_c8_bad_content_is_a_report_never_an_exception(
    tmp_path: Path, make: Callable[[Path], object], code: str | None
) -> None:
    path = tmp_path / "bad.npz"
    make(path)
    report = validate_npz(path)
    assert not report.ok
    if code is not None:
        assert code in [issue.code for issue in report]


def test_p9_every_flipped_bit_is_found_or_harmless(tmp_path: Path, product: Product) -> None:
    buffer = io.BytesIO()
    write_npz(buffer, product.arrays, product.meta)
    data = bytearray(buffer.getvalue())
    path = tmp_path / "flipped.npz"
    reference = filmcan.read_meta(write(tmp_path / "good.npz", product))
    for offset in range(0, len(data), 7):
        data[offset] ^= 1 << (offset % 8)
        path.write_bytes(data)
        if validate_npz(path).ok:
            assert filmcan.read_meta(path) == reference
        data[offset] ^= 1 << (offset % 8)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        validate_npz(tmp_path / "none.npz")
