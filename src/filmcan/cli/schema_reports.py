"""Schema comparisons for people and for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filmcan.cli.reports import build_report_json, print_issues
from filmcan.cli.screen import print_table, print_text

if TYPE_CHECKING:
    from filmcan.contract.compatibility import SchemaComparison
    from filmcan.contract.release import SchemaCheck


def build_comparison_json(comparison: SchemaComparison) -> dict[str, object]:
    """Return a comparison as JSON: both names, the verdict, and one row per change."""
    return {
        "old": comparison.old_version,
        "new": comparison.new_version,
        "verdict": comparison.verdict,
        "changes": [
            {
                "verdict": change.verdict,
                "component": change.component,
                "place": change.place,
                "old": change.old,
                "new": change.new,
                "reason": change.reason,
            }
            for change in comparison.changes
        ],
    }


def print_comparison(comparison: SchemaComparison) -> None:
    """Print every change with its verdict, then the verdict of all."""
    if comparison.changes:
        print_table(
            {
                "verdict": "left",
                "component": "left",
                "place": "left",
                "old": "left",
                "new": "left",
                "reason": "left",
            },
            [
                (
                    change.verdict,
                    change.component,
                    change.place,
                    change.old,
                    change.new,
                    change.reason,
                )
                for change in comparison.changes
            ],
        )
    names = f"{comparison.old_version} -> {comparison.new_version}"
    print_text(f"{names}: {comparison.verdict}, {len(comparison.changes)} changes")


def build_check_json(check: SchemaCheck) -> dict[str, object]:
    """Return a check as JSON: whether all is well, the comparisons, one row per finding."""
    report = build_report_json(check.report)
    return {
        "valid": report["valid"],
        "comparisons": [build_comparison_json(item) for item in check.comparisons],
        "issues": report["issues"],
    }


def print_check(check: SchemaCheck) -> None:
    """Print every finding, then what was compared."""
    print_issues(check.report)
    state = "valid" if check.report.ok else "INVALID"
    if not check.comparisons and check.report.ok:
        print_text(f"{state}: nothing is released yet, so there was nothing to compare")
        return
    errors = len(check.report.errors)
    print_text(f"{state}: {len(check.comparisons)} schemas compared, {errors} errors")
