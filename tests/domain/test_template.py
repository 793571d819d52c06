"""Messages with fields in them: right where they can be, readable where they cannot, harmless always."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.template import placeholders, render
from tests.properties import quick


@pytest.mark.parametrize(
    ("template", "fields", "text"),
    [
        ("{job} failed", {"job": "parse"}, "parse failed"),
        ("({pct_invalid:.1f}% invalid rows)", {"pct_invalid": 12.345}, "(12.3% invalid rows)"),
        ("rate {success_rate:.0%}", {"success_rate": 0.456}, "rate 46%"),
        ("{usd:,.0f} USD", {"usd": 1234567.8}, "1,234,568 USD"),
        ("{lift:+.1f}%", {"lift": 2.34}, "+2.3%"),
        ("{n:05d}", {"n": 42}, "00042"),
        ("{change.bookings:.0%}", {"change": {"bookings": -0.35}}, "-35%"),
        ("{change.bookings}", {"change.bookings": 3}, "3"),
        ("{a}{a}", {"a": 1}, "11"),
        ("{{literally}} {a}", {"a": 1}, "{literally} 1"),
        ("{cpu}", {"cpu": 92.0}, "92"),
        ("{cpu}", {"cpu": 92.123456}, "92.12"),
        ("{big}", {"big": 1e20}, "1e+20"),
        ("{ok}", {"ok": True}, "yes"),
        ("{codes}", {"codes": ["A", 2.0, False]}, "A, 2, no"),
        ("{nothing}", {"nothing": float("inf")}, "inf"),
        ("no fields", {}, "no fields"),
    ],
)
def test_fields_are_filled_in_as_people_write_them(template: str, fields: dict[str, Any], text: str) -> None:
    assert render(template, fields) == text


@pytest.mark.parametrize(
    ("template", "fields", "text"),
    [
        ("{rows} rows", {}, "{rows?} rows"),
        ("{rows} rows", {"rows": None}, "{rows?} rows"),
        ("{a.b}", {"a": 1}, "{a.b?}"),
        ("{name:.1f}", {"name": "text"}, "text"),
        ("{n:d}", {"n": 1.5}, "1.5"),
        ("{items:>10}", {"items": ["a"]}, "a"),
        ("{n:c}", {"n": 0}, "0"),
        ("{n:c}", {"n": 0xD800}, "55296"),
        ("{n:c}", {"n": 0x110000}, "1114112"),
        ("{n:zzz}", {"n": 1}, "1"),
        ("{n!r}", {"n": 1}, "{n!r}"),
        ("{", {}, "{"),
        ("}", {}, "}"),
        ("{}", {}, "{}"),
        ("{0}", {}, "{0}"),
    ],
)
def test_a_mistake_in_a_message_never_loses_it(template: str, fields: dict[str, Any], text: str) -> None:
    assert render(template, fields) == text


@pytest.mark.parametrize(
    "template",
    [
        "{x:1000000000}",
        "{x:.1000000000f}",
        "{x:0999999999d}",
        "{x:{y}}",
        "{x.__class__}",
        "{x.__class__.__mro__}",
        "{x.__init__.__globals__}",
        "{x[0]}",
        "{__import__}",
    ],
)
def test_a_hostile_format_neither_fills_the_memory_nor_reaches_anything(template: str) -> None:
    shown = render(template, {"x": 1, "y": 10**9})
    assert len(shown) < 100
    assert "class" not in shown.replace(template.strip("{}"), "")


def test_every_value_passes_through_the_quoting_asked_for() -> None:
    shown = render("<{a}> {missing}", {"a": "<!channel>"}, quote=lambda text: text.replace("<", "&lt;"))
    assert shown == "<&lt;!channel>> {missing?}"


def test_the_fields_a_message_needs_are_known() -> None:
    assert placeholders("{a} {b.c:.1f} {{d}} {x!r}") == {"a", "b.c"}


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=3)
)


@quick
@given(spec=st.text(alphabet="<>^=+- 0123456789,.bcdeEfFgGnosxX%z_", max_size=8), value=VALUES)
def test_any_value_in_any_format_comes_out_as_text(spec: str, value: Any) -> None:
    shown = render("{x:" + spec + "}", {"x": value})
    assert isinstance(shown, str)
    if not isinstance(value, str | list):
        assert len(shown) < 500
        shown.encode()


@quick
@given(template=st.text(max_size=60), fields=st.dictionaries(st.text(max_size=5), VALUES, max_size=3))
def test_any_text_is_a_message(template: str, fields: dict[str, Any]) -> None:
    assert isinstance(render(template, fields), str)
    assert all("{" not in name for name in placeholders(template))
