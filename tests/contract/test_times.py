"""C3.6: times are UTC, RFC 3339, milliseconds, `Z`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from filmcan.contract.times import find_time_fault, format_time


def test_c3_a_time_is_written_in_utc_and_cut_to_milliseconds() -> None:
    moment = datetime(2026, 1, 31, 12, 0, 0, 123_999, UTC)
    assert format_time(moment) == "2026-01-31T12:00:00.123Z"
    assert format_time(moment.astimezone(timezone(timedelta(hours=-5)))) == format_time(moment)
    assert find_time_fault(format_time(moment)) is None


def test_c3_a_time_without_a_zone_is_never_written() -> None:
    with pytest.raises(ValueError, match="zone"):
        format_time(datetime(2026, 1, 31))  # noqa: DTZ001 - the missing zone is the test


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.000+00:00",
        "2026-01-31 12:00:00.000Z",
        "2026-01-31T12:00:00.000z",
        "2026-01-31T12:00:00.000Z\n",
        "2026-02-30T12:00:00.000Z",
        "2026-01-31T24:30:00.000Z",
    ],
)
def test_c3_any_other_form_is_a_fault(text: str) -> None:
    assert find_time_fault(text) is not None
