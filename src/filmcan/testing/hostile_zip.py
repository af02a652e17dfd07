"""Hostile containers (threats B3)."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from filmcan.testing import made_npz as m
from filmcan.testing.hostile_case import FLOATS, Corpus

CASES = Corpus()

_A = m.Entry(b"a.npy", FLOATS)
_B = m.Entry(b"b.npy", m.make_npy(np.arange(3)))
_ARCHIVE = m.make_zip(_A, _B)
_DISAGREEMENT = "zip_disagreement"
_LAYOUT = "zip_layout"
_END = "zip_end_record"


def _zip(name: str, code: str, *entries: m.Entry, **settings: object) -> None:
    CASES.add(name, code, lambda: m.make_zip(*entries, **settings))  # type: ignore[arg-type]


def _bytes_case(name: str, code: str, data: bytes) -> None:
    CASES.add(name, code, lambda: data)


_bytes_case("b3_end_prefix", _LAYOUT, b"#!/bin/sh\n" + _ARCHIVE)
_bytes_case("b3_end_pdf_in_front", _LAYOUT, b"%PDF-1.7\n" + bytes(500) + _ARCHIVE)
_bytes_case("b3_end_suffix", _END, _ARCHIVE + b"\0")
_bytes_case("b3_end_second_archive", _LAYOUT, _ARCHIVE + _ARCHIVE)
_bytes_case("b3_end_other_archive_appended", _LAYOUT, _ARCHIVE + m.make_zip(_B))
_bytes_case("b3_end_comment", _END, _ARCHIVE[:-2] + b"\x05\x00hello")
_bytes_case(
    "b3_end_archive_in_comment",
    _LAYOUT,
    _ARCHIVE[:-2] + struct.pack("<H", len(m.make_zip(_B))) + m.make_zip(_B),
)
_zip("b3_end_comment_missing", _END, _A, end={"comment": 5})
_zip("b3_end_count_too_low", "zip_directory", _A, _B, end={"here": 1, "count": 1})
_zip("b3_end_count_too_high", "zip_directory", _A, _B, end={"here": 3, "count": 3})
_zip("b3_end_counts_differ", _END, _A, _B, end={"here": 1})
_zip("b3_end_disks", _END, _A, end={"disk": 1})
_zip("b3_end_first_disk", _END, _A, end={"first_disk": 1})
_zip("b3_end_offset_lies", _LAYOUT, _A, end={"offset": 4})
_zip("b3_end_size_lies", _LAYOUT, _A, end={"size": 4})
_zip("b3_end_gap_in_front_of_it", _LAYOUT, _A, between=b"x")
_zip(
    "b3_end_directory_starts_later",
    "zip_directory",
    _A,
    _B,
    end={"offset": 0, "size": len(_ARCHIVE) - 22},
)
_zip("b3_end_full_without_zip64", _LAYOUT, _A, end={"offset": 0xFFFFFFFF})
_bytes_case("b3_end_cut", "truncated", _ARCHIVE[:-5])
_bytes_case("b3_end_cut_in_member", "truncated", _ARCHIVE[:90])
_bytes_case("b3_end_empty_file", "not_a_zip", b"")
_bytes_case("b3_end_zero_filled", "not_a_zip", bytes(len(_ARCHIVE)))
_bytes_case("b3_end_other_format", "not_a_zip", b"\x1f\x8b\x08" + bytes(500))
_zip("b3_end_too_many_members", "limit_exceeded", end={"here": 5_000, "count": 5_000})
CASES.add(
    "b3_end_too_many_real_members",
    "limit_exceeded",
    lambda: m.make_zip(*[m.Entry(b"%d.npy" % i, b"") for i in range(4_097)]),
)
CASES.add(
    "b3_end_directory_too_large",
    "limit_exceeded",
    lambda: m.make_zip(*[m.Entry(b"%d.npy" % i, b"", comment=bytes(65_535)) for i in range(70)]),
)


def _zip64(**lies: int) -> bytes:
    """Return an archive with 64-bit end records, some of their fields lying."""
    body = _ARCHIVE[:-22]
    offset = len(m.make_zip(_A, _B, end={})) - 22 - _directory_size()
    said = {
        "length": 44,
        "disk": 0,
        "first_disk": 0,
        "here": 2,
        "count": 2,
        "size": _directory_size(),
        "offset": offset,
        "at": len(body),
        "disks": 1,
        "locator_disk": 0,
        "narrow_offset": 0xFFFFFFFF,
        "narrow_count": 0xFFFF,
        **lies,
    }
    record = struct.pack(
        "<4sQ2H2L4Q",
        b"PK\x06\x06",
        said["length"],
        45,
        45,
        said["disk"],
        said["first_disk"],
        said["here"],
        said["count"],
        said["size"],
        said["offset"],
    )
    locator = struct.pack("<4sLQL", b"PK\x06\x07", said["locator_disk"], said["at"], said["disks"])
    end = struct.pack(
        "<4s4H2LH",
        b"PK\x05\x06",
        0,
        0,
        said["narrow_count"],
        said["narrow_count"],
        0xFFFFFFFF,
        said["narrow_offset"],
        0,
    )
    return body + record + locator + end


def _directory_size() -> int:
    return 2 * (46 + 5)


def make_zip64() -> bytes:
    """Return an honest archive of two arrays with 64-bit end records."""
    return _zip64()


for _name, _lies in {
    "locator": {"at": 0},
    "locator_disk": {"locator_disk": 1},
    "disks": {"disks": 2},
    "length": {"length": 100},
    "narrow_count": {"narrow_count": 1},
    "narrow_offset": {"narrow_offset": 7},
    "volumes": {"disk": 1},
}.items():
    _bytes_case(f"b3_zip64_{_name}", _END, _zip64(**_lies))
_bytes_case("b3_zip64_offset", _LAYOUT, _zip64(offset=1 << 40))
_bytes_case("b3_zip64_count", "limit_exceeded", _zip64(here=1 << 40, count=1 << 40))
_bytes_case(
    "b3_zip64_locator_alone", _END, struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1) + _ARCHIVE[-22:]
)

_FULL = 0xFFFFFFFF


def _extra(*values: int, kind: int = 1) -> bytes:
    return struct.pack(f"<HH{len(values)}Q", kind, 8 * len(values), *values)


_zip(
    "b3_zip64_sizes_beyond_the_file",
    _LAYOUT,
    _A.but(
        method=m.DEFLATED,
        central={"size": _FULL, "stored_size": _FULL},
        central_extra=_extra(1 << 60, 1 << 59),
    ),
)
_zip(
    "b3_zip64_stored_size_lies",
    _LAYOUT,
    _A.but(central={"size": _FULL, "stored_size": _FULL}, central_extra=_extra(1 << 33, 1 << 33)),
)
_zip(
    "b3_zip64_too_many_values", "zip_extra", _A.but(central_extra=_extra(len(FLOATS), len(FLOATS)))
)
_zip(
    "b3_zip64_twice",
    "zip_extra",
    _A.but(central={"size": _FULL}, central_extra=_extra(1) + _extra(2)),
)
_zip("b3_zip64_odd_length", "zip_extra", _A.but(central_extra=b"\x01\x00\x03\x00abc"))
_zip(
    "b3_zip64_local_lies",
    _DISAGREEMENT,
    _A.but(local={"size": _FULL, "stored_size": _FULL}, local_extra=_extra(9, 9)),
)
_zip("b3_zip64_local_contradicts_itself", _DISAGREEMENT, _A.but(local_extra=_extra(9, 9)))
_zip("b3_zip64_local_one_value", "zip_extra", _A.but(local_extra=_extra(len(FLOATS))))
_zip("b3_extra_cut_off", "zip_extra", _A.but(central_extra=b"\x07"))
_zip("b3_extra_too_long", "zip_extra", _A.but(local_extra=b"\x07\x00\x09\x00a"))


def _second_name(name: bytes) -> bytes:
    """Return Info-ZIP's extra field with a name that some readers prefer."""
    content = b"\x01" + struct.pack("<L", zlib.crc32(b"a.npy")) + name
    return struct.pack("<2H", 0x7075, len(content)) + content


_zip("b3_extra_second_name", "zip_extra", _A.but(central_extra=_second_name(b"b.npy")), _B)
_zip("b3_extra_second_name_in_local", "zip_extra", _A.but(local_extra=_second_name(b"meta.npy")))
_zip(
    "b3_extra_cipher", "zip_extra", _A.but(central_extra=b"\x01\x99\x07\x00\x02\x00AE\x03\x00\x00")
)

for _name, _lie in {
    "name": {"name": b"b.npy"},
    "crc": {"crc": 1},
    "size": {"size": 9},
    "stored_size": {"stored_size": 9},
    "method": {"method": 8},
    "flags": {"flags": 2},
    "utf8": {"flags": 0x800},
}.items():
    _zip(f"b3_local_{_name}", _DISAGREEMENT, _A.but(local=_lie), _B)
_zip("b3_local_name_longer", _DISAGREEMENT, _A.but(local={"name": b"aa.npy"}))
CASES.add(
    "b3_local_signature", _DISAGREEMENT, lambda: _ARCHIVE.replace(b"PK\x03\x04", b"PK\x03\x05", 1)
)
_zip("b3_descriptor_missing", _LAYOUT, _A.but(flags=8), _B)
_zip(
    "b3_descriptor_crc",
    _DISAGREEMENT,
    _A.but(
        flags=8,
        local={"crc": 0, "size": 0, "stored_size": 0},
        behind=struct.pack("<4s3L", b"PK\x07\x08", 1, len(FLOATS), len(FLOATS)),
    ),
)
_zip(
    "b3_descriptor_signature",
    _DISAGREEMENT,
    _A.but(flags=8, behind=struct.pack("<4s3L", b"PK\x07\x09", 1, len(FLOATS), len(FLOATS))),
)
_zip("b3_descriptor_unannounced", _LAYOUT, _A.but(behind=bytes(16)), _B)
_zip("b3_descriptor_odd_length", _LAYOUT, _A.but(flags=8, behind=bytes(13)), _B)

_zip("b3_layout_gap", _LAYOUT, _A.but(behind=bytes(7)), _B)
_zip("b3_layout_wide_gap", _LAYOUT, _A.but(behind=bytes(70_000)), _B)
_zip("b3_layout_same_place", _LAYOUT, _A, _B.but(central={"offset": 0}))
_zip("b3_layout_overlap", _LAYOUT, _A, _B.but(central={"offset": 20}))
_zip(
    "b3_layout_overlap_by_size",
    _LAYOUT,
    _A.but(central={"size": len(FLOATS) + 60, "stored_size": len(FLOATS) + 60}),
    _B,
)
_zip("b3_layout_beyond_the_end", _LAYOUT, _A, _B.but(central={"offset": 1 << 30}))
_zip("b3_layout_first_not_at_start", _LAYOUT, _A.but(central={"offset": 1}))
_zip("b3_layout_stored_sizes_differ", _LAYOUT, _A.but(central={"size": len(FLOATS) + 1}))
_zip("b3_directory_comment", "zip_directory", _A.but(comment=b"hello"))
_zip("b3_directory_disk", "zip_directory", _A.but(central={"disk": 1}))
CASES.add(
    "b3_directory_signature",
    "zip_directory",
    lambda: _ARCHIVE.replace(b"PK\x01\x02", b"PK\x01\x03", 1),
)

_zip("b3_method_bzip2", "zip_method", _A.but(central={"method": 12}, local={"method": 12}))
_zip("b3_method_lzma", "zip_method", _A.but(central={"method": 14}, local={"method": 14}))
_zip("b3_method_aes", "zip_method", _A.but(central={"method": 99}, local={"method": 99}))
_zip("b3_method_new_version", "zip_method", _A.but(central={"version": 63}))
_zip("b3_method_patch", "zip_method", _A.but(flags=0x20))
_zip("b3_encrypted", "zip_encrypted", _A.but(flags=1))
_zip("b3_encrypted_strongly", "zip_encrypted", _A.but(flags=0x40))
_zip("b3_encrypted_directory", "zip_encrypted", _A.but(flags=0x2000))

for _name, _member in {
    "nul": b"a\0.npy",
    "traversal": b"../a.npy",
    "absolute": b"/a.npy",
    "drive": b"C:a.npy",
    "folder": b"a/b.npy",
    "backslash": b"a\\b.npy",
    "other_suffix": b"a.txt",
    "no_key": b".npy",
    "hidden": b".a.npy",
    "newline": b"a\n.npy",
    "not_ascii": b"\xe4.npy",
    "empty": b"",
    "star": b"*.npy",
    "long": b"a" * 300 + b".npy",
    "case_suffix": b"a.NPY",
    "folder_entry": b"a.npy/",
    "suffix_twice": b"a.npy.npy",
}.items():
    _zip(f"b3_name_{_name}", "zip_name", m.Entry(_member, FLOATS))
_zip("b3_name_not_utf8", "zip_name", m.Entry(b"\xff.npy", FLOATS, flags=0x800))
_zip("b3_name_control_in_utf8", "zip_name", m.Entry("a\u202e.npy".encode(), FLOATS, flags=0x800))
_zip("b3_twins", "zip_duplicate", _A, _A)
_zip("b3_twins_by_case", "zip_duplicate", _A, m.Entry(b"A.npy", FLOATS))
_zip(
    "b3_twins_by_accent",
    "zip_duplicate",
    m.Entry("\u00e4.npy".encode(), FLOATS, flags=0x800),
    m.Entry("a\u0308.npy".encode(), FLOATS, flags=0x800),
)
_zip(
    "b3_twins_by_fold",
    "zip_duplicate",
    m.Entry(b"ss.npy", FLOATS),
    m.Entry("\u00df.npy".encode(), FLOATS, flags=0x800),
)


def _zeros(size: int) -> bytes:
    """Return an array of zero bytes."""
    return m.make_raw_npy(
        f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({size},), }}\n", bytes(size)
    )


_DEFLATED = _A.but(method=m.DEFLATED)
_STREAM = m.deflate(FLOATS)
_zip(
    "b3_bomb_declared",
    "limit_exceeded",
    _DEFLATED.but(payload=bytes(1 << 20), central={"size": 1 << 29}, local={"size": 1 << 29}),
)
CASES.add(
    "b3_bomb_of_many",
    "limit_exceeded",
    lambda: m.make_zip(
        *[
            m.Entry(
                b"%d.npy" % i,
                b"",
                method=m.DEFLATED,
                payload=bytes(1 << 16),
                central={"size": 1 << 26},
                local={"size": 1 << 26},
            )
            for i in range(9)
        ]
    ),
)
_zip(
    "b3_bomb_beyond_deflate",
    _LAYOUT,
    _DEFLATED.but(central={"size": 1 << 20}, local={"size": 1 << 20}),
)
CASES.add(
    "b3_bomb_longer_than_declared",
    "inflate_failed",
    lambda: m.make_zip(_DEFLATED.but(payload=m.deflate(FLOATS + bytes(1 << 24)))),
)
CASES.add(
    "b3_bomb_nested",
    "npy_header",
    lambda: m.make_zip(
        m.Entry(
            b"a.npy",
            m.make_zip(m.Entry(b"b.npy", _zeros(1 << 20), method=m.DEFLATED)),
            method=m.DEFLATED,
        )
    ),
)
_zip("b3_inflate_too_short", "inflate_failed", _DEFLATED.but(payload=m.deflate(FLOATS[:-1])))
_zip("b3_inflate_junk_behind", "inflate_failed", _DEFLATED.but(payload=_STREAM + b"xx"))
_zip("b3_inflate_cut", "inflate_failed", _DEFLATED.but(payload=_STREAM[:-9]))
_zip("b3_inflate_damaged", "inflate_failed", _DEFLATED.but(payload=b"\xff" * len(_STREAM)))
_zip(
    "b3_inflate_nothing",
    "npy_header",
    _DEFLATED.but(payload=b"", central={"size": 0}, local={"size": 0}),
)
_zip("b3_crc_wrong", "crc_mismatch", _A.but(local={"crc": 1}, central={"crc": 1}))
_zip("b3_crc_wrong_deflated", "crc_mismatch", _DEFLATED.but(local={"crc": 1}, central={"crc": 1}))
