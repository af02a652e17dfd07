"""Results for people: tables and a few sentences. Failures come last, where the eye is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from filmcan.cli.screen import print_table, print_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from filmcan import Run
    from filmcan.contract.issues import Report
    from filmcan.contract.manifest import ComponentRecord
    from filmcan.operations.assets import AssetSummary
    from filmcan.operations.demo import DemoResult
    from filmcan.operations.health import Check
    from filmcan.operations.schemas import SchemaSummary
    from filmcan.operations.validation import Verdict

_MEGABYTE = 1_000_000
_ORDER = {"ok": 0, "empty": 1, "error": 2}


def build_run_json(run: Run) -> dict[str, object]:
    """Return what `filmcan run --json` prints: ids, status and one row per component."""
    return {
        "store": run.backend.url,
        "platform_id": run.platform_id,
        "video_id": run.video_id,
        "run_id": run.run_id,
        "run_path": run.path,
        "status": run.status,
        "components": [
            {
                "name": record.name,
                "status": record.status,
                "empty_reason": record.empty_reason,
                "error": record.error,
                "duration_ms": record.duration_ms,
                "reused_from_run_id": record.reused_from_run_id,
            }
            for record in run.manifest.components
        ],
    }


def print_run_report(run: Run) -> None:
    """Print the report of a run: component, status, reason, seconds, MB, device."""
    source = run.manifest.run.source
    print_text(f"{source.get('name')} -> {run.path}")
    print_text(_describe_source(source))
    print_text("")
    print_table(
        {
            "component": "left",
            "status": "left",
            "reason": "left",
            "seconds": "right",
            "MB": "right",
            "device": "left",
        },
        [_build_row(record) for record in _sorted(run)],
    )
    print_text("")
    counts = Counter(str(record.status) for record in run.manifest.components)
    told = ", ".join(f"{counts[status]} {status}" for status in _ORDER if counts[status])
    pending = run.manifest.pending_components
    state = run.status if run.status is not None else f"unfinished ({', '.join(pending)} not done)"
    print_text(f"Run {run.run_id}: {state}; {told}.")
    reused = [record for record in run.manifest.components if record.reused_from_run_id]
    if reused:
        print_text(f"  Reused from earlier runs: {', '.join(item.name for item in reused)}.")
    for record in _sorted(run):
        if record.error:
            print_text(f"  {record.name} failed: {record.error}")
        elif record.notes:
            print_text(f"  {record.name}: {record.notes}")


def print_view(view: dict[str, object], features: dict[str, object]) -> None:
    """Print a run or an artifact: what it holds, then its features."""
    if "keys" in view:
        _print_artifact(view, cast("list[dict[str, object]]", features["features"]))
        return
    print_text(f"{view['run_path']}  status {view['status'] or 'unfinished'}")
    print_text(_describe_source(cast("dict[str, object]", view["source"])))
    components = cast("dict[str, dict[str, object]]", features["components"])
    for row in cast("list[dict[str, object]]", view["components"]):
        reason = row["empty_reason"] or row["error"]
        told = f"{row['status']}: {reason}" if reason else str(row["status"])
        print_text("")
        print_text(f"{row['name']}  {told}")
        found = cast("list[dict[str, object]]", components[str(row["name"])]["features"])
        if row["status"] == "ok" and found:
            _print_features(found)


def print_issues(report: Report) -> None:
    """Print every finding."""
    for issue in report:
        key = f" {issue.key}:" if issue.key else ""
        print_text(f"{issue.level}: {issue.code}:{key} {issue.message}")
        if issue.where:
            print_text(f"  where: {issue.where}")


def print_report(report: Report) -> None:
    """Print every finding of a report, then whether all is well."""
    print_issues(report)
    print_text("valid" if report.ok else "INVALID")


def build_report_json(report: Report) -> dict[str, object]:
    """Return a report as JSON: whether all is well, and one row per finding."""
    return {
        "valid": report.ok,
        "issues": [
            {
                "level": issue.level,
                "code": issue.code,
                "key": issue.key,
                "message": issue.message,
                "where": issue.where,
            }
            for issue in report
        ],
    }


def print_verdict(verdict: Verdict) -> None:
    """Print every finding, then the count."""
    print_issues(verdict.report)
    errors, warnings = len(verdict.report.errors), len(verdict.report.warnings)
    judged = f"{verdict.runs} runs, {verdict.artifacts} artifacts"
    print_text(
        f"{'valid' if not errors else 'INVALID'}: {judged}, {errors} errors, {warnings} warnings"
    )


def build_verdict_json(verdict: Verdict) -> dict[str, object]:
    """Return a verdict as JSON: counts and one row per finding."""
    report = build_report_json(verdict.report)
    return {
        "valid": report["valid"],
        "runs": verdict.runs,
        "artifacts": verdict.artifacts,
        "issues": report["issues"],
    }


def print_assets(assets: list[AssetSummary]) -> None:
    """Print the asset catalog."""
    print_table(
        {
            "asset": "left",
            "kind": "left",
            "MB": "right",
            "cached": "left",
            "licence": "left",
            "description": "left",
        },
        [
            (
                asset.name,
                asset.kind,
                f"{asset.size_bytes / _MEGABYTE:.1f}",
                "yes" if asset.is_cached else "no",
                asset.license,
                asset.description,
            )
            for asset in assets
        ],
    )


def build_paths_json(paths: Mapping[str, Mapping[str, Path]]) -> dict[str, object]:
    """Return where files lie: asset -> file -> path."""
    return {
        name: {file: str(path) for file, path in files.items()} for name, files in paths.items()
    }


def print_paths(paths: Mapping[str, Mapping[str, Path]]) -> None:
    """Print where files lie, one a line."""
    for files in paths.values():
        for path in files.values():
            print_text(str(path))


def print_checks(checks: list[Check]) -> None:
    """Print the doctor's report."""
    print_table(
        {"check": "left", "status": "left", "detail": "left"},
        [
            (
                check.name,
                check.status,
                [check.detail, f"-> {check.hint}"] if check.hint else check.detail,
            )
            for check in checks
        ],
    )


def print_schemas(schemas: list[SchemaSummary]) -> None:
    """Print the registry."""
    print_table(
        {"schema_version": "left", "components": "left"},
        [(item.schema_version, ", ".join(item.components)) for item in schemas],
    )


def print_demo(result: DemoResult, store: str) -> None:
    """Print the demo's run, its verdict and what to try next."""
    print_run_report(result.run)
    print_verdict(result.verdict)
    path = f"{store}/{result.run.path}"
    print_text("")
    print_text("Try next:")
    print_text(f"  filmcan show {path}")
    print_text(f"  filmcan render {path} --view features")
    print_text("  filmcan run YOUR_VIDEO --store result_store")
    print_text("  filmcan doctor")


def _print_artifact(view: dict[str, object], features: list[dict[str, object]]) -> None:
    meta = cast("dict[str, object]", view["meta"])
    reason = f" ({meta['empty_reason']})" if meta.get("empty_reason") else ""
    print_text(
        f"{meta.get('producer')} {meta.get('producer_version')}  "
        f"{meta.get('schema_version')}  {meta.get('status')}{reason}"
    )
    print_text(
        f"{meta.get('platform_id')}/{meta.get('video_id')}/{meta.get('run_id')}  "
        f"{meta.get('created_at')}"
    )
    print_text("")
    print_table(
        {"key": "left", "type": "left", "unit": "left", "description": "left"},
        [
            (
                str(row["key"]),
                f"{row['dtype']}{row['shape']}",
                str(row["unit"]),
                str(row["description"]).partition(". ")[0],
            )
            for row in cast("list[dict[str, object]]", view["keys"])
        ],
    )
    if features:
        print_text("")
        _print_features(features)


def _print_features(features: list[dict[str, object]]) -> None:
    print_table(
        {"feature": "left", "value": "right", "unit": "left", "missing because": "left"},
        [
            (
                str(row["name"]),
                "-" if row["value"] is None else f"{cast('float', row['value']):.6g}",
                str(row["unit"]),
                str(row["missing_reason"] or ""),
            )
            for row in features
        ],
    )


def _sorted(run: Run) -> list[ComponentRecord]:
    return sorted(run.manifest.components, key=lambda record: _ORDER[record.status])


def _build_row(record: ComponentRecord) -> tuple[str, ...]:
    size = sum(artifact.size_bytes for artifact in record.artifacts)
    return (
        record.name,
        record.status,
        record.empty_reason or ("see below" if record.error else ""),
        "" if record.duration_ms is None else f"{record.duration_ms / 1000:.2f}",
        f"{size / _MEGABYTE:.3f}" if size else "",
        record.device_used or "",
    )


def _describe_source(source: object) -> str:
    """Return one line on what the source is and what of it decoded."""
    known = cast("dict[str, object]", source)
    parts = []
    duration = known.get("duration_sec")
    if isinstance(duration, int | float):
        parts.append(f"{duration:.2f} s")
    video = known.get("video_stream")
    if isinstance(video, dict):
        parts.append(f"{video['codec']} {video['display_width']}x{video['display_height']}")
    audio = known.get("audio_stream")
    if isinstance(audio, dict):
        parts.append(f"{audio['codec']} {audio['channel_layout']} {audio['rate_hz']} Hz")
    decoded, failed, count = (
        known.get(name) for name in ("decoded_frames", "failed_frames", "frame_count")
    )
    if decoded is not None:
        parts.append(f"{decoded} frames decoded, {failed} failed")
    if isinstance(count, int) and isinstance(decoded, int) and isinstance(failed, int):
        parts += [f"{count - decoded - failed} passed over"] if count > decoded + failed else []
    return ", ".join(parts)
