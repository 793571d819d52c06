"""Escaping, cutting and the parts that messages are made of."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks.message import (
    Message,
    button,
    code,
    context,
    cut,
    escape,
    fields,
    fitted,
    outside,
    overflow,
    person,
    preformatted,
    rows,
    section,
    when,
)
from tests.blocks.reading import HOSTILE, PING, accepted, pings, shown
from tests.properties import quick

PIECES = st.lists(
    st.sampled_from(
        ["&amp;", "&lt;", "&gt;", "<@U0ALEX>", "<https://example.com/a?b=1|runbook>", " ", "\n", "🙂"]
    )
    | st.text(st.characters(exclude_characters="&<>"), max_size=8)
)


@quick
@given(pieces=PIECES, limit=st.integers(1, 60))
def test_a_cut_text_ends_within_its_limit_and_within_no_entity_or_link(pieces: list[str], limit: int) -> None:
    text = "".join(pieces)
    short = cut(text, limit)
    assert len(short) <= limit
    if short == text:
        return
    assert len(text) > limit
    assert short.endswith("…")
    kept = short.removesuffix("…")
    assert text.startswith(kept)
    assert kept.count("<") == kept.count(">")
    assert all(re.match(r"&(amp|lt|gt);", kept[place:]) for place, sign in enumerate(kept) if sign == "&")


def test_a_link_however_long_is_cut_whole() -> None:
    link = f"<https://example.com/{'x' * 5000}|Runbook>"
    assert cut(f"See {link}", 3000) == "See…"


@quick
@given(text=st.text(), limit=st.integers(1, 200))
def test_nothing_from_outside_can_mention_link_or_format(text: str, limit: int) -> None:
    for shown_text in (outside(text, limit), code(text, limit).strip("`"), escape(text)):
        assert not re.search(r"[<>]", shown_text)
        assert all(
            re.match(r"&(amp|lt|gt);", shown_text[at:]) for at, sign in enumerate(shown_text) if sign == "&"
        )
    assert not re.search(r"[`*~]", outside(text, limit))
    assert "`" not in code(text, limit)[1:-1]
    assert "\n" not in code(text, limit)


@quick
@given(text=st.text(min_size=1), limit=st.integers(100, 300))
def test_text_from_outside_loses_nothing_but_its_formatting(text: str, limit: int) -> None:
    if len(escape(text)) <= limit and not re.search(r"[`*~\r]", text):
        back = outside(text, limit).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        assert back == text


@pytest.mark.parametrize(
    ("user", "text"),
    [
        ("U0ALEX", "<@U0ALEX>"),
        ("W012", "<@W012>"),
        (None, "Tocsin"),
        ("", "Tocsin"),
        ("<!channel>", "&lt;!channel&gt;"),
        ("U1> <!channel", "U1&gt; &lt;!channel"),
        ("deploy script", "deploy script"),
    ],
)
def test_a_person_is_mentioned_by_id_and_anybody_else_is_named(user: str | None, text: str) -> None:
    assert person(user) == text


def test_an_instant_is_shown_in_each_readers_zone_and_in_utc_where_that_fails() -> None:
    instant = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
    assert when(instant) == "<!date^1795177800^{date_short_pretty} {time}|2026-11-20 12:30 UTC>"


@pytest.mark.parametrize("text", ["", " ", "\n\n", "x", HOSTILE, HOSTILE * 500, "&" * 9000, "<" * 9000])
def test_every_part_is_taken_whatever_text_it_holds(text: str) -> None:
    parts = [
        section(outside(text, 3000)),
        section(code(text, 2900)),
        *rows([(outside(text, 300), outside(text, 1000))] * 3),
        preformatted(text, text),
        context(outside(text, 1500), "small print"),
        {
            "type": "actions",
            "elements": [button(text or "x", "a" * 300, text or "x"), overflow("b", [("x", "y" * 200)] * 9)],
        },
    ]
    for part in parts:
        assert not pings(Message(text="plain", blocks=(part,)))


def test_output_is_shown_exactly_as_far_as_it_fits() -> None:
    block = preformatted("Output", "\n  <!channel>\n" + "x" * 40_000)
    text = shown(Message(text="plain", blocks=(block,)))
    assert "  <!channel>" in text
    assert len(text) < 1400


def test_more_than_ten_values_take_further_blocks() -> None:
    blocks = rows([(f"label {number}", str(number)) for number in range(23)])
    assert [len(block["fields"]) for block in blocks] == [10, 10, 3]
    assert rows([]) == []
    assert len(fields((f"label {number}", "x") for number in range(23))["fields"]) == 10


@quick
@given(sizes=st.lists(st.integers(0, 3500), max_size=70))
def test_a_message_of_any_parts_is_fitted_to_what_slack_takes(sizes: list[int]) -> None:
    blocks = fitted([section("x" * size or "-") for size in sizes])
    accepted(Message(text="plain", blocks=blocks))
    if len(sizes) <= 50 and sum(min(size, 3000) for size in sizes) < 11_000:
        assert len(blocks) == len(sizes)
    elif len(blocks) < len(sizes):
        assert f"… {len(sizes) - len(blocks) + 1} more parts do not fit" in str(blocks[-1])


def test_messages_that_look_the_same_are_the_same() -> None:
    first = Message(text="a", blocks=(section("b"),), color="#fff")
    assert first.identity() == Message(text="a", blocks=(section("b"),), color="#fff").identity()
    others = [
        Message(text="b", blocks=(section("b"),), color="#fff"),
        Message(text="a", blocks=(section("c"),), color="#fff"),
        Message(text="a", blocks=(section("b"),), color="#000"),
        Message(text="a", body=(section("b"),), color="#fff"),
    ]
    assert len({first.identity(), *(each.identity() for each in others)}) == 5


def test_a_message_without_blocks_says_the_same() -> None:
    message = Message(text="everything essential", blocks=(section("b"),), color="#fff")
    assert message.plain() == {"text": "everything essential", "blocks": [], "attachments": []}


def test_dates_are_no_mentions_but_all_else_is() -> None:
    assert not PING.search(when(datetime(2026, 1, 1, tzinfo=UTC)))
    assert all(PING.search(text) for text in ("<!channel>", "<!subteam^S1>", "<@U1>", "<#C1>"))
