from __future__ import annotations

import pytest

from filmcan.components.visual.spread import EvenSpread


def choose(count: int, offered: int) -> tuple[list[int], int]:
    made = []
    spread: EvenSpread[int] = EvenSpread(count)
    for number in range(offered):
        spread.offer(lambda number=number: made.append(number) or number)  # type: ignore[misc]
    return spread.choose(), len(made)


@pytest.mark.parametrize("offered", [0, 1, 3, 4, 5, 17, 100, 1000])
def test_the_chosen_are_as_many_as_wanted_and_spread_evenly(offered: int) -> None:
    chosen, _ = choose(4, offered)
    assert len(chosen) == min(4, offered)
    assert chosen == sorted(set(chosen))
    if offered >= 100:
        wanted = [0, offered / 3, 2 * offered / 3, offered]
        assert all(abs(a - b) < offered / 6 for a, b in zip(chosen, wanted, strict=True))


def test_what_is_not_kept_is_never_made() -> None:
    _, made = choose(4, 1000)
    assert made < 100
    assert choose(0, 10) == ([], 0)
