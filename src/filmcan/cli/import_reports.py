"""How an import looks: a table of components, the files that did not come, and why; or JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from filmcan.cli.reports import build_report_json, print_issues
from filmcan.cli.screen import print_table, print_text
from filmcan.contract.issues import Report

if TYPE_CHECKING:
    from filmcan.operations.import_store import RunOutcome, StoreImport


def print_import(result: StoreImport) -> None:
    """Print what came, what was left out and what could not be verified."""
    for run in result.runs:
        _print_run(run)
    print_issues(Report(result.issues))
    counts = Counter(run.fate for run in result.runs)
    verb = "would be " if result.dry_run else ""
    told = ", ".join(f"{count} {verb}{fate}" for fate, count in counts.items()) or "no runs found"
    report = result.report
    print_text(f"{told}; {len(report.errors)} refusals, {len(report.warnings)} remarks")


def build_import_json(result: StoreImport) -> dict[str, object]:
    """Return an import as JSON."""
    return {
        "source": result.source,
        "store": result.store,
        "dry_run": result.dry_run,
        "complete": result.report.ok,
        "runs": [
            {
                "run_path": run.path,
                "outcome": run.fate,
                "manifest": run.manifest,
                "components": [asdict(item) for item in run.components],
                "files": [asdict(item) for item in run.files],
                "issues": build_report_json(Report(tuple(run.issues)))["issues"],
            }
            for run in result.runs
        ],
        "issues": build_report_json(Report(result.issues))["issues"],
    }


def _print_run(run: RunOutcome) -> None:
    print_text(f"{run.path}: {run.fate}, manifest {run.manifest}")
    if run.components:
        print_table(
            {
                "component": "left",
                "status": "left",
                "form": "left",
                "schema": "left",
                "why": "left",
            },
            [
                (
                    item.name,
                    item.status,
                    item.form,
                    item.schema_version or "-",
                    item.empty_reason or item.error or "",
                )
                for item in run.components
            ],
        )
    for item in run.components:
        for change in item.changes:
            print_text(f"changed: {item.name}: {change}")
    missing = [item for item in run.files if item.fate in ("left_out", "refused", "damaged")]
    if missing:
        print_table(
            {"file": "left", "outcome": "left", "why": "left"},
            [(item.path, item.fate.replace("_", " "), item.reason) for item in missing],
        )
    report = Report(tuple(run.issues))
    print_issues(Report(report.errors))
    remarks: dict[tuple[str, str], list[str]] = {}
    for issue in report.warnings:
        remarks.setdefault((issue.code, issue.message), []).append(issue.key)
    for (code, message), keys in remarks.items():
        whose = ", ".join(dict.fromkeys(key for key in keys if key))
        print_text(f"remark: {code}: {f'{whose}: ' if whose else ''}{message}")
