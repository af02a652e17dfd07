"""How the results of `fsck`, `gc` and `delete` look: tables and sentences, or JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from filmcan.cli.reports import build_report_json, print_issues
from filmcan.cli.screen import print_table, print_text

if TYPE_CHECKING:
    from filmcan.operations.check_store import StoreCheck
    from filmcan.operations.collect_garbage import Sweep
    from filmcan.operations.delete_video import Receipt


def print_check(check: StoreCheck) -> None:
    """Print findings, repairs, and whether the store is sound now."""
    print_issues(check.report)
    for repair in check.repairs:
        print_text(f"{'repaired' if repair.is_done else 'left alone'}: {repair.message}")
        print_text(f"  where: {repair.where}")
    read = f", {check.read_bytes} bytes rehashed" if check.read_bytes else ""
    left = check.remaining
    print_text(
        f"{'sound' if left.ok else 'DAMAGED'}: {check.runs} runs, {check.artifacts} artifacts"
        f"{read}, {len(left.errors)} errors, {len(left.warnings)} warnings"
    )


def build_check_json(check: StoreCheck) -> dict[str, object]:
    """Return a check as JSON."""
    return {
        "sound": check.remaining.ok,
        "runs": check.runs,
        "artifacts": check.artifacts,
        "read_bytes": check.read_bytes,
        "quarantined": check.quarantined,
        "issues": build_report_json(check.report)["issues"],
        "repairs": [asdict(repair) for repair in check.repairs],
        "remaining": build_report_json(check.remaining)["issues"],
    }


def print_sweep(sweep: Sweep, *, dry_run: bool) -> None:
    """Print what went, or would go."""
    if sweep.removals:
        print_table(
            {"kind": "left", "path": "left", "files": "right", "bytes": "right", "why": "left"},
            [
                (item.kind, item.path, str(item.files), str(item.size_bytes), item.reason)
                for item in sweep.removals
            ],
        )
    files = sum(item.files for item in sweep.removals)
    size = sum(item.size_bytes for item in sweep.removals)
    verb = "would remove" if dry_run else "removed"
    print_text(f"{verb} {files} files, {size} bytes; {sweep.kept_runs} runs kept")


def build_sweep_json(sweep: Sweep, *, dry_run: bool) -> dict[str, object]:
    """Return a sweep as JSON."""
    return {
        "dry_run": dry_run,
        "kept_runs": sweep.kept_runs,
        "files": sum(item.files for item in sweep.removals),
        "size_bytes": sum(item.size_bytes for item in sweep.removals),
        "removals": [asdict(item) for item in sweep.removals],
    }


def print_receipt(receipt: Receipt) -> None:
    """Print the receipt of a deletion."""
    if not receipt.files:
        print_text(f"there was nothing of {receipt.target}")
        return
    print_table(
        {"removed": "left", "bytes": "right", "sha256": "left"},
        [(file.path, str(file.size_bytes), file.sha256 or "-") for file in receipt.files],
    )
    print_text(f"deleted {receipt.target}: {len(receipt.files)} files, {receipt.size_bytes} bytes")


def build_receipt_json(receipt: Receipt) -> dict[str, object]:
    """Return the receipt of a deletion as JSON."""
    return {
        "target": receipt.target,
        "size_bytes": receipt.size_bytes,
        "files": [asdict(file) for file in receipt.files],
    }
