"""C8.4: a validator's answer is a report of issues in a stable order."""

from __future__ import annotations

from filmcan.contract.issues import SHOWN_VALUE_CHARS, Issue, Report, shown

ERROR = Issue("error", "dtype", "a", "wrong")
WARNING = Issue("warning", "reason_not_declared", "b", "odd")


def test_c8_only_errors_make_content_invalid() -> None:
    assert Report().ok
    assert Report((WARNING,)).ok
    assert not Report((WARNING, ERROR)).ok


def test_c8_a_report_keeps_the_order_and_tells_the_levels_apart() -> None:
    report = Report((WARNING,)).merged([ERROR])
    assert list(report) == [WARNING, ERROR]
    assert (report.errors, report.warnings, len(report)) == ((ERROR,), (WARNING,), 2)


def test_no_value_floods_a_message() -> None:
    assert shown("short") == "'short'"
    assert len(shown("x" * 10_000)) == SHOWN_VALUE_CHARS
    assert "\n" not in shown("a\nb")
