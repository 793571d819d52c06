"""Each of Slack's limits is refused one above and accepted at its value, with a pointer to the mistake."""

from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace.errors import Refusal
from bot.demo.workspace.limits import check_message, check_metadata, check_view
from tests.workspace_client import modal, section, text_input

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def markdown(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def options(count: int, **parts: Any) -> list[Json]:
    return [{"text": plain(f"Option {n}"), "value": str(n), **parts} for n in range(count)]


def button(n: int = 0, **parts: Any) -> Json:
    return {"type": "button", "text": plain("Press"), "action_id": f"press{n}", **parts}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def select(**parts: Any) -> Json:
    return {"type": "static_select", "action_id": "pick", "options": options(2), **parts}


def confirm(**parts: Any) -> Json:
    parts = {"title": "Sure?", "text": "It rings", "confirm": "Yes", "deny": "No", **parts}
    return button(confirm={name: plain(text) for name, text in parts.items()})


def raw(text: str) -> Json:
    return {"type": "raw_text", "text": text}


def table(rows: int = 1, cells: int = 1) -> Json:
    return {"type": "table", "rows": [[raw("x")] * cells for _ in range(rows)]}


def chart(chart: Json | None = None, title: str = "Checks") -> Json:
    return {"type": "data_visualization", "title": title, "chart": chart or pie(1)}


def pie(segments: int, label: str = "up") -> Json:
    return {"type": "pie", "segments": [{"label": label, "value": n + 1} for n in range(segments)]}


def line(series: int = 1, points: int = 2, label: str = "", name: str = "") -> Json:
    labels = [label or f"p{n}" for n in range(points)]
    data = [{"label": each, "value": 1.5} for each in labels]
    return {
        "type": "line",
        "series": [{"name": f"{name or 's'}{n or ''}", "data": data} for n in range(series)],
        "axis_config": {"categories": labels},
    }


def rich(*parts: Json) -> Json:
    return {"type": "rich_text", "elements": list(parts)}


def rich_section(*leaves: Json) -> Json:
    return {"type": "rich_text_section", "elements": list(leaves)}


def image(**parts: Any) -> Json:
    return {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "A chart", **parts}


@dataclass(frozen=True, kw_only=True)
class Limit:
    name: str
    at: list[Json]
    above: list[Json]
    message: str
    pointer: str


def limit(name: str, at: Any, above: Any, message: str, pointer: str) -> Any:
    """A row of the table; single blocks are put into a list."""
    both = [each if isinstance(each, list) else [each] for each in (at, above)]
    return pytest.param(
        Limit(name=name, at=both[0], above=both[1], message=message, pointer=pointer), id=name
    )


def less(n: int) -> str:
    return f"must be less than {n + 1} characters"


def items(n: int) -> str:
    return f"no more than {n} items allowed"


MESSAGE_LIMITS = [
    limit("blocks", [section()] * 50, [section()] * 51, items(50), "/blocks"),
    limit("section text", section("x" * 3000), section("x" * 3001), less(3000), "/blocks/0/text/text"),
    limit("empty text", section("x"), section(""), "must be more than 0 characters", "/blocks/0/text/text"),
    limit(
        "fields",
        {"type": "section", "fields": [markdown("x")] * 10},
        {"type": "section", "fields": [markdown("x")] * 11},
        items(10),
        "/blocks/0/fields",
    ),
    limit(
        "field text",
        {"type": "section", "fields": [markdown("x" * 2000)]},
        {"type": "section", "fields": [markdown("x" * 2001)]},
        less(2000),
        "/blocks/0/fields/0/text",
    ),
    limit(
        "section of nothing",
        section(),
        {"type": "section"},
        "must provide text or fields",
        "/blocks/0",
    ),
    limit(
        "header text",
        {"type": "header", "text": plain("x" * 150)},
        {"type": "header", "text": plain("x" * 151)},
        less(150),
        "/blocks/0/text/text",
    ),
    limit(
        "header in mrkdwn",
        {"type": "header", "text": plain("x")},
        {"type": "header", "text": markdown("x")},
        "unsupported type: mrkdwn",
        "/blocks/0/text/type",
    ),
    limit(
        "context elements",
        {"type": "context", "elements": [markdown("x")] * 10},
        {"type": "context", "elements": [markdown("x")] * 11},
        items(10),
        "/blocks/0/elements",
    ),
    limit(
        "context with a button",
        {"type": "context", "elements": [image()]},
        {"type": "context", "elements": [button()]},
        "unsupported type: button",
        "/blocks/0/elements/0/type",
    ),
    limit(
        "actions elements",
        actions(*map(button, range(25))),
        actions(*map(button, range(26))),
        items(25),
        "/blocks/0/elements",
    ),
    limit("no actions", actions(button()), actions(), "no fewer than 1 items allowed", "/blocks/0/elements"),
    limit(
        "button text",
        actions(button(text=plain("x" * 75))),
        actions(button(text=plain("x" * 76))),
        less(75),
        "/blocks/0/elements/0/text/text",
    ),
    limit(
        "button value",
        actions(button(value="x" * 2000)),
        actions(button(value="x" * 2001)),
        less(2000),
        "/blocks/0/elements/0/value",
    ),
    limit(
        "button style",
        actions(button(style="danger")),
        actions(button(style="warning")),
        "must be a valid enum value: primary, danger",
        "/blocks/0/elements/0/style",
    ),
    limit(
        "button url",
        actions(button(url="https://example.com/" + "x" * 2980)),
        actions(button(url="https://example.com/" + "x" * 2981)),
        less(3000),
        "/blocks/0/elements/0/url",
    ),
    limit(
        "action_id",
        actions(button(action_id="x" * 255)),
        actions(button(action_id="x" * 256)),
        less(255),
        "/blocks/0/elements/0/action_id",
    ),
    limit(
        "block_id",
        section(block_id="x" * 255),
        section(block_id="x" * 256),
        less(255),
        "/blocks/0/block_id",
    ),
    limit(
        "block_id twice",
        [section(block_id="a"), section(block_id="b")],
        [section(block_id="a"), section(block_id="a")],
        "block_id already exists: a",
        "/blocks/1/block_id",
    ),
    limit(
        "action_id twice",
        [actions(button(1)), actions(button(1))],
        actions(button(1), button(1)),
        "action_id already exists: press1",
        "/blocks/0/elements/1/action_id",
    ),
    limit(
        "select options",
        actions(select(options=options(100))),
        actions(select(options=options(101))),
        items(100),
        "/blocks/0/elements/0/options",
    ),
    limit(
        "select without options",
        actions(select()),
        actions(select(options=[])),
        "no fewer than 1 items allowed",
        "/blocks/0/elements/0/options",
    ),
    limit(
        "option text",
        actions(select(options=[{"text": plain("x" * 75), "value": "1"}])),
        actions(select(options=[{"text": plain("x" * 76), "value": "1"}])),
        less(75),
        "/blocks/0/elements/0/options/0/text/text",
    ),
    limit(
        "option value",
        actions(select(options=options(1, value="x" * 150))),
        actions(select(options=options(1, value="x" * 151))),
        less(150),
        "/blocks/0/elements/0/options/0/value",
    ),
    limit(
        "initial option",
        actions(select(initial_option=options(1)[0])),
        actions(select(initial_option={"text": plain("Other"), "value": "other"})),
        "initial options must be among the options",
        "/blocks/0/elements/0/initial_option",
    ),
    limit(
        "placeholder",
        actions(select(placeholder=plain("x" * 150))),
        actions(select(placeholder=plain("x" * 151))),
        less(150),
        "/blocks/0/elements/0/placeholder/text",
    ),
    limit(
        "overflow options",
        actions({"type": "overflow", "action_id": "more", "options": options(5)}),
        actions({"type": "overflow", "action_id": "more", "options": options(6)}),
        items(5),
        "/blocks/0/elements/0/options",
    ),
    limit(
        "checkboxes",
        actions({"type": "checkboxes", "action_id": "tick", "options": options(10)}),
        actions({"type": "checkboxes", "action_id": "tick", "options": options(11)}),
        items(10),
        "/blocks/0/elements/0/options",
    ),
    limit(
        "radio buttons",
        actions({"type": "radio_buttons", "action_id": "one", "options": options(10)}),
        actions({"type": "radio_buttons", "action_id": "one", "options": options(11)}),
        items(10),
        "/blocks/0/elements/0/options",
    ),
    *(
        limit(
            f"confirm {name}",
            actions(confirm(**{name: "x" * most})),
            actions(confirm(**{name: "x" * (most + 1)})),
            less(most),
            f"/blocks/0/elements/0/confirm/{name}/text",
        )
        for name, most in [("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)]
    ),
    limit(
        "image without alt_text",
        image(),
        {"type": "image", "image_url": "https://example.com/a.png"},
        "missing required field: alt_text",
        "/blocks/0",
    ),
    limit(
        "image address",
        image(image_url="http://example.com/a.png"),
        image(image_url="/a.png"),
        "must be a valid URL",
        "/blocks/0/image_url",
    ),
    limit(
        "input in a message",
        section(),
        text_input(),
        "unsupported type: input",
        "/blocks/0/type",
    ),
    limit(
        "alert in a message",
        section(),
        {"type": "alert", "text": plain("Careful")},
        "unsupported type: alert",
        "/blocks/0/type",
    ),
    limit(
        "unknown property",
        section(),
        section(colour="red"),
        "invalid additional property: colour",
        "/blocks/0",
    ),
    limit("block that is no object", section(), ["hello"], "must be an object", "/blocks/0"),
    limit("block without type", section(), {"text": plain("x")}, "missing required field: type", "/blocks/0"),
    limit("table rows", table(rows=100), table(rows=101), items(100), "/blocks/0/rows"),
    limit("table cells", table(cells=20), table(cells=21), items(20), "/blocks/0/rows/0"),
    limit("tables", [table()], [table(), table()], "only_one_table_allowed", "/blocks"),
    limit(
        "empty table cell",
        table(),
        {"type": "table", "rows": [[raw("")]]},
        "must be more than 0 characters",
        "/blocks/0/rows/0/0/text",
    ),
    limit(
        "charts",
        [chart(), chart()],
        [chart(), chart(), chart()],
        "no more than 2 data_visualization blocks allowed",
        "/blocks",
    ),
    limit("chart title", chart(title="x" * 50), chart(title="x" * 51), less(50), "/blocks/0/title"),
    limit("pie segments", chart(pie(6)), chart(pie(7)), items(6), "/blocks/0/chart/segments"),
    limit(
        "pie label",
        chart(pie(1, "x" * 20)),
        chart(pie(1, "x" * 21)),
        less(20),
        "/blocks/0/chart/segments/0/label",
    ),
    limit(
        "pie of nothing",
        chart(pie(1)),
        chart({"type": "pie", "segments": [{"label": "up", "value": 0}]}),
        "must be more than 0",
        "/blocks/0/chart/segments/0/value",
    ),
    limit("series", chart(line(series=6)), chart(line(series=7)), items(6), "/blocks/0/chart/series"),
    limit(
        "points",
        chart(line(points=20)),
        chart(line(points=21)),
        items(20),
        "/blocks/0/chart/series/0/data",
    ),
    limit(
        "point label",
        chart(line(points=1, label="x" * 20)),
        chart(line(points=1, label="x" * 21)),
        less(20),
        "/blocks/0/chart/series/0/data/0/label",
    ),
    limit(
        "series name",
        chart(line(name="x" * 20)),
        chart(line(name="x" * 21)),
        less(20),
        "/blocks/0/chart/series/0/name",
    ),
    limit(
        "series beside the axis",
        chart(line()),
        chart({**line(), "axis_config": {"categories": ["elsewhere", "p1"]}}),
        "data labels must match the axis categories",
        "/blocks/0/chart/series/0/data",
    ),
    limit(
        "chart type",
        chart({**line(), "type": "bar"}),
        chart({**line(), "type": "radar"}),
        "unsupported type: radar",
        "/blocks/0/chart/type",
    ),
    limit(
        "rich text run",
        rich(rich_section({"type": "text", "text": "x", "style": {"bold": True}})),
        rich(rich_section({"type": "text", "text": ""})),
        "must be more than 0 characters",
        "/blocks/0/elements/0/elements/0/text",
    ),
    limit(
        "rich text style",
        rich(rich_section({"type": "link", "url": "https://example.com", "style": {"code": True}})),
        rich(rich_section({"type": "text", "text": "x", "style": {"blink": True}})),
        "invalid additional property: blink",
        "/blocks/0/elements/0/elements/0/style",
    ),
    limit(
        "rich text list",
        rich({"type": "rich_text_list", "style": "ordered", "elements": [rich_section()]}),
        rich({"type": "rich_text_list", "style": "starred", "elements": [rich_section()]}),
        "must be a valid enum value: bullet, ordered",
        "/blocks/0/elements/0/style",
    ),
    limit(
        "preformatted",
        rich({"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "log"}]}),
        rich({"type": "rich_text_preformatted", "elements": [{"type": "emoji", "name": "fire"}]}),
        "unsupported type: emoji",
        "/blocks/0/elements/0/elements/0/type",
    ),
    limit(
        "quote",
        rich({"type": "rich_text_quote", "elements": [{"type": "user", "user_id": "U0ALEX"}]}),
        rich({"type": "rich_text_quote", "elements": [{"type": "user"}]}),
        "missing required field: user_id",
        "/blocks/0/elements/0/elements/0",
    ),
    limit(
        "markdown",
        {"type": "markdown", "text": "x" * 12_000},
        {"type": "markdown", "text": "x" * 12_001},
        less(12_000),
        "/blocks/0/text",
    ),
]


def message_of(error: Refusal) -> str:
    return str(error.details["response_metadata"]["messages"][0])


@pytest.mark.parametrize("limit", MESSAGE_LIMITS)
def test_a_message_may_reach_each_limit_and_not_pass_it(limit: Limit) -> None:
    check_message(deepcopy(limit.at), None)
    with pytest.raises(Refusal) as refused:
        check_message(limit.above, None)
    assert refused.value.code == "invalid_blocks"
    assert message_of(refused.value) == f"[ERROR] {limit.message} [json-pointer:{limit.pointer}]"
    assert refused.value.details["errors"][0] == f"{limit.message} [json-pointer:{limit.pointer}]"


@pytest.mark.parametrize("limit", [each for each in MESSAGE_LIMITS if "/blocks/0" in each.values[0].pointer])
def test_the_same_limits_hold_inside_an_attachment(limit: Limit) -> None:
    check_message(None, [{"color": "#a30200", "blocks": limit.at}])
    with pytest.raises(Refusal) as refused:
        check_message(None, [{"fallback": "x"}, {"blocks": limit.above}])
    assert refused.value.code == "invalid_attachments"
    assert f"[json-pointer:/attachments/1{limit.pointer}]" in message_of(refused.value)


def test_blocks_of_attachments_count_with_the_messages() -> None:
    check_message([section()] * 30, [{"blocks": [section()] * 20}])
    with pytest.raises(Refusal, match="invalid_attachments"):
        check_message([section()] * 30, [{"blocks": [section()] * 21}])


def test_an_attachment_with_blocks_takes_no_older_fields() -> None:
    with pytest.raises(Refusal, match="invalid_attachments"):
        check_message(None, [{"blocks": [section()], "title": "Old"}])


def test_all_text_together_has_a_limit() -> None:
    check_message([section("x" * 3000)] * 4, None)
    with pytest.raises(Refusal, match="msg_blocks_too_long"):
        check_message([section("x" * 3000)] * 5, None)


def view_with(**parts: Any) -> Json:
    return modal(section(), **parts)


VIEW_LIMITS = [
    ({"title": plain("x" * 24)}, {"title": plain("x" * 25)}, less(24), "/view/title/text"),
    ({"submit": plain("x" * 24)}, {"submit": plain("x" * 25)}, less(24), "/view/submit/text"),
    ({"close": plain("x" * 24)}, {"close": plain("x" * 25)}, less(24), "/view/close/text"),
    ({"title": plain("x")}, {"title": markdown("x")}, "unsupported type: mrkdwn", "/view/title/type"),
    (
        {"private_metadata": "x" * 3000},
        {"private_metadata": "x" * 3001},
        less(3000),
        "/view/private_metadata",
    ),
    ({"callback_id": "x" * 255}, {"callback_id": "x" * 256}, less(255), "/view/callback_id"),
    ({"blocks": [section()] * 100}, {"blocks": [section()] * 101}, items(100), "/view/blocks"),
    (
        {"blocks": [{"type": "alert", "text": plain("Careful"), "level": "warning"}]},
        {"blocks": [{"type": "alert", "text": plain("Careful"), "level": "loud"}]},
        "must be a valid enum value: default, info, warning, error, success",
        "/view/blocks/0/level",
    ),
    ({"blocks": [text_input()]}, {"blocks": [table()]}, "unsupported type: table", "/view/blocks/0/type"),
    (
        {"blocks": [text_input("a"), text_input("b")]},
        {"blocks": [text_input("a"), text_input("a")]},
        "block_id already exists: a",
        "/view/blocks/1/block_id",
    ),
    ({}, {"colour": "red"}, "invalid additional property: colour", "/view"),
]


@pytest.mark.parametrize(("at", "above", "message", "pointer"), VIEW_LIMITS)
def test_a_view_may_reach_each_limit_and_not_pass_it(
    at: Json, above: Json, message: str, pointer: str
) -> None:
    check_view(view_with(**at), "modal")
    with pytest.raises(Refusal) as refused:
        check_view(view_with(**above), "modal")
    assert refused.value.code == "invalid_arguments"
    assert message_of(refused.value) == f"[ERROR] {message} [json-pointer:{pointer}]"


def test_inputs_need_a_submit_button() -> None:
    view = modal(text_input())
    del view["submit"]
    with pytest.raises(Refusal, match="invalid_arguments"):
        check_view(view, "modal")


def test_a_home_tab_has_no_title_and_takes_a_hundred_blocks() -> None:
    check_view({"type": "home", "blocks": [section()] * 100}, "home")
    for wrong in (modal(section()), {"type": "home", "blocks": [section()] * 101}, {"type": "home"}, "home"):
        with pytest.raises(Refusal, match="invalid_arguments"):
            check_view(wrong, "home")


@pytest.mark.parametrize(
    ("metadata", "refusal"),
    [
        (["no", "object"], "invalid_metadata_format"),
        ({"event_type": "alert"}, "invalid_metadata_schema"),
        ({"event_payload": {}}, "invalid_metadata_schema"),
        ({"event_type": "alert", "event_payload": "key"}, "invalid_metadata_schema"),
        ({"event_type": "alert", "event_payload": {}, "more": 1}, "invalid_metadata_schema"),
        ({"event_type": "alert", "event_payload": {"key": "x" * 8000}}, "metadata_too_large"),
    ],
)
def test_metadata_has_a_type_and_a_payload(metadata: Any, refusal: str) -> None:
    check_metadata({"event_type": "alert", "event_payload": {"key": "7"}})
    with pytest.raises(Refusal, match=refusal):
        check_metadata(metadata)


async def test_the_client_reads_the_refusal_as_slack_words_it(client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(channel="alerts", text="x", blocks=[section("x" * 3001)])
    assert refused.value.response.data == {
        "ok": False,
        "error": "invalid_blocks",
        "errors": ["must be less than 3001 characters [json-pointer:/blocks/0/text/text]"],
        "response_metadata": {
            "messages": ["[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"]
        },
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything inside a payload."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [path, *(each for key, item in inside for each in places(item, (*path, key)))]


SOUND = [block for row in MESSAGE_LIMITS for block in row.values[0].at[:2]]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_damage_to_a_payload_is_more_than_a_refusal(data: st.DataObject) -> None:
    blocks = deepcopy([data.draw(st.sampled_from(SOUND))])
    path = data.draw(st.sampled_from(places(blocks)[1:]))
    target: Any = blocks
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = data.draw(JSON)
    with suppress(Refusal):
        check_message(blocks, None)
    with suppress(Refusal):
        check_message(None, [{"blocks": blocks}])
    with suppress(Refusal):
        check_view(modal(*blocks), "modal")
    with suppress(Refusal):
        check_view({"type": "home", "blocks": blocks}, "home")
