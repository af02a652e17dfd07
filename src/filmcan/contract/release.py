"""Hold the schemas in force to the released ones: nothing released changes silently (C7.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from filmcan.contract.compatibility import SchemaComparison, compare_schemas
from filmcan.contract.issues import Issue, Report
from filmcan.contract.schema import find_components, parse_schema
from filmcan.contract.schema_rules import find_version_fault, split_version
from filmcan.errors import InvalidSchemaError


@dataclass(frozen=True, slots=True)
class SchemaCheck:
    """What the check found.

    Attributes:
        report: The findings; any error means that the schemas in force must not be released.
        comparisons: Each released schema against the one in force, and each new version against
            the released one before it.
    """

    report: Report
    comparisons: tuple[SchemaComparison, ...]


def check_schemas(in_force: Mapping[str, object], released: Mapping[str, object]) -> SchemaCheck:
    """Compare the registry with the released copies.

    Found are: a released version that is gone, a released version that changed in more than
    words, a new version that does what no version may, and any document that is malformed.

    Args:
        in_force: schema_version -> document of the registry.
        released: schema_version -> document as the last release shipped it.
    """
    issues: list[Issue] = []
    for shelf, documents in (("registry", in_force), ("released", released)):
        for version, document in documents.items():
            issues += _find_document_faults(version, document, f"{shelf}: {version}")
    if issues:
        return SchemaCheck(Report(tuple(issues)), ())
    comparisons = []
    for version in sorted({*in_force, *released}):
        if version not in in_force:
            message = "released, but no longer in the registry: its artifacts became unreadable"
            issues.append(Issue("error", "schema_withdrawn", "", message, version))
            continue
        former = version if version in released else _find_predecessor(version, released)
        if former is None:
            continue
        comparison = compare_schemas(released[former], in_force[version])
        comparisons.append(comparison)
        issues += _judge(comparison)
    return SchemaCheck(Report(tuple(issues)), tuple(comparisons))


def _find_document_faults(version: str, document: object, where: str) -> list[Issue]:
    fault = find_version_fault(version)
    if fault is not None:
        return [Issue("error", "invalid_schema", "schema_version", fault, where)]
    faults = []
    try:
        components = find_components(document)
    except InvalidSchemaError as error:
        return [Issue("error", error.code, "", error.message, where)]
    if not components:
        faults.append(Issue("error", "invalid_schema", "components", "describes none", where))
    for component in components:
        try:
            parse_schema(document, component)
        except InvalidSchemaError as error:
            faults.append(Issue("error", error.code, component, error.message, where))
    return faults


def _find_predecessor(version: str, released: Mapping[str, object]) -> str | None:
    family, number = split_version(version)
    former = [
        (split_version(name)[1], name)
        for name in released
        if split_version(name)[0] == family and split_version(name)[1] < number
    ]
    return max(former)[1] if former else None


def _judge(comparison: SchemaComparison) -> list[Issue]:
    issues = []
    for change in comparison.breaking:
        place = ": ".join(part for part in (change.component, change.place) if part)
        told = f"{change.old or 'nothing'} -> {change.new or 'nothing'}: {change.reason}"
        if change.verdict == "forbidden":
            code, message = "schema_forbidden_change", f"{told}. No version may do this."
        else:
            code = "schema_changed"
            message = f"{told}. Released: take it back, or make it under a new schema_version."
        issues.append(Issue("error", code, place, message, comparison.new_version))
    return issues
