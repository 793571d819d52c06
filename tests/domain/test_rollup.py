"""Roll-ups promise quantiles within one percent however the numbers came together."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.rollup import UP, Gathering, Rollup, together
from bot.domain.sketch import ERROR, Sketch
from bot.reports.figures import percentile

NUMBERS = (
    st.floats(-1e15, 1e15) | st.integers(-(2**63), 2**63).map(float) | st.sampled_from([0.0, 1e-12, 5.0])
)
MANY = st.lists(NUMBERS, min_size=1, max_size=200)
SHARES = st.floats(0, 1)


def near(found: float, exact: float) -> bool:
    """Within the promise, and what a double loses in a logarithm."""
    return math.isclose(found, exact, rel_tol=ERROR * 1.000001, abs_tol=1e-299)


@given(MANY, SHARES)
def test_a_quantile_is_within_one_percent(values: list[float], share: float) -> None:
    assert near(Rollup.of(values).quantile(share), percentile(values, share))


@given(st.lists(MANY, min_size=1, max_size=6), SHARES)
def test_hours_together_tell_what_all_their_numbers_tell(hours: list[list[float]], share: float) -> None:
    values = [value for hour in hours for value in hour]
    found = together(Rollup.of(hour) for hour in hours)
    assert found is not None
    assert near(found.quantile(share), percentile(values, share))
    assert (found.count, found.minimum, found.maximum) == (len(values), min(values), max(values))
    assert math.isclose(found.total, math.fsum(values), rel_tol=1e-9, abs_tol=max(map(abs, values)) * 1e-12)


@given(MANY, st.randoms())
def test_the_same_numbers_in_another_order_are_the_same_rollup(values: list[float], random: Any) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert Rollup.of(shuffled) == Rollup.of(values)


@given(st.lists(st.lists(NUMBERS, max_size=50), min_size=1, max_size=4))
def test_merging_sketches_is_sketching_everything(parts: list[list[float]]) -> None:
    whole = Sketch.of([value for part in parts for value in part])
    assert sum(map(Sketch.of, parts), Sketch()) == whole


@given(MANY)
def test_a_sketch_survives_being_kept(values: list[float]) -> None:
    sketch = Sketch.of(values)
    assert Sketch.load(sketch.dump()) == sketch
    assert sketch.count == len(values)


@given(st.lists(st.floats(0.1, 1e6), min_size=60, max_size=60))
def test_an_hour_of_a_check_takes_little_room(values: list[float]) -> None:
    assert len(Sketch.of(values).dump()) <= 3 + 4 * 60


def test_a_sketch_cut_short_is_refused() -> None:
    with pytest.raises(ValueError, match="cut short"):
        Sketch.load(Sketch.of([1.0, 2.0]).dump()[:-3])


def test_nothing_together_is_nothing() -> None:
    assert together([]) is None


@pytest.mark.parametrize("value", [0.0, -0.0, 1e300, -1e300, 5e-324, 1e-300])
def test_a_number_that_never_changes_is_told_exactly(value: float) -> None:
    found = Rollup.of([value] * 5) + Rollup.of([value])
    assert (found.quantile(0.5), found.mean, found.sketch) == (value, value, None) or abs(value) >= 1e300
    assert found.quantile(0.99) == value


def test_only_numbers_are_gathered_by_resource_and_field() -> None:
    gathering = Gathering()
    gathering.add("a", {"ms": 5, "text": "x", "none": None, "list": [1], "@up": 0, "ok": True}, up=True)
    gathering.add("a", {"ms": 7.0, "huge": 1e305}, up=False)
    gathering.add("b", {"ms": 1, "nan": float("nan")}, up=None)

    found = gathering.rollups()

    assert set(found) == {("a", "ms"), ("a", "ok"), ("a", UP), ("b", "ms")}
    assert (found["a", "ms"].count, found["a", "ms"].total) == (2, 12.0)
    assert found["a", UP].mean == 0.5
