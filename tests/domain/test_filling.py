"""An action filled in from an alert: values stay values, whatever they hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bot.domain.filling import Action, Call, Command, Unfit, fill, shown, target_of, values_for


def filled(action: Action, **names: Any) -> Action | Unfit:
    values = values_for(action, names)
    return values if isinstance(values, Unfit) else fill(action, values)


def command(*arguments: str) -> Command:
    return Command(arguments=arguments)


def call(url: str, **parts: Any) -> Call:
    return Call(method="POST", url=url, **parts)


def test_an_argument_is_one_argument_whatever_is_in_it() -> None:
    assert filled(command("redis-cli", "DEL", "{key}"), key="a b; rm -rf / $(id)") == command(
        "redis-cli", "DEL", "a b; rm -rf / $(id)"
    )
    assert shown(command("redis-cli", "DEL", "a b; rm")) == "redis-cli DEL 'a b; rm'"


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({}, "the alert has no field key"),
        ({"key": None}, "the alert has no field key"),
        ({"key": ""}, "the alert has no field key"),
        ({"key": []}, "the alert has no field key"),
        ({"key": {"a": 1}}, "the field key is not a single value"),
        ({"key": "a\nFLUSHALL"}, "the field key holds a line break or another sign that cannot be seen"),
        ({"key": "a\0b"}, "the field key holds a line break or another sign that cannot be seen"),
        ({"key": "a\x1b[2J"}, "the field key holds a line break or another sign that cannot be seen"),
        ({"key": "x" * 1001}, "the field key is longer than 1000 characters"),
        ({"key": "-n"}, "'-n' begins with -, which the program would take for an option"),
        (
            {"key": "--config=/etc/x"},
            "'--config=/etc/x' begins with -, which the program would take for an option",
        ),
    ],
)
def test_what_would_leave_a_hole_or_act_by_itself_is_refused(names: dict[str, Any], reason: str) -> None:
    assert filled(command("redis-cli", "DEL", "{key}"), **names) == Unfit(reason=reason)


def test_an_option_of_the_file_may_take_a_value_that_begins_with_a_dash() -> None:
    assert filled(command("kill", "--signal={name}", "-{name}"), name="-9") == command(
        "kill", "--signal=-9", "--9"
    )


def test_several_placeholders_formats_and_braces_are_filled_in() -> None:
    assert filled(command("run", "{a}-{b:.1f}", "{{c}}"), a="x", b=1.25) == command("run", "x-1.2", "{c}")


@pytest.mark.parametrize(
    ("value", "path"),
    [("a/b?c#d", "a%2Fb%3Fc%23d"), ("ü&x=1", "%C3%BC%26x%3D1"), ("a b", "a%20b"), ("%2e", "%252e")],
)
def test_a_value_stays_in_its_place_of_an_address(value: str, path: str) -> None:
    found = filled(call("https://api.example.com/{name}/restart"), name=value)
    assert isinstance(found, Call)
    assert found.url == f"https://api.example.com/{path}/restart"


@pytest.mark.parametrize("value", [".", ".."])
def test_no_value_leads_to_another_path(value: str) -> None:
    assert filled(call("https://api.example.com/v1/{name}/restart"), name=value) == Unfit(
        reason="a field would lead to another path of the address"
    )


@pytest.mark.parametrize("url", ["{name}/restart", "file:///{name}", "https:///x", "http://x:port/"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    found = filled(call(url), name="web")
    assert found == Unfit(reason="its address is not one that begins with http:// or https://")


def test_a_body_that_is_json_stays_what_it_is() -> None:
    hostile = 'x", "admin": "yes'
    found = filled(call("http://a.example.com", body='{"name": "{name}"}'), name=hostile)
    assert isinstance(found, Call)
    assert found.body == '{"name": "x\\", \\"admin\\": \\"yes"}'
    tree = filled(call("http://a.example.com", json={"a": ["{name}", 1], "{name}": None}), name=hostile)
    assert isinstance(tree, Call)
    assert tree.json == {"a": [hostile, 1], "{name}": None}
    text = filled(call("http://a.example.com", body="restart {name}"), name="web")
    assert isinstance(text, Call)
    assert text.body == "restart web"


def test_headers_are_sent_as_written_and_are_no_part_of_what_it_does() -> None:
    one = call("http://a.example.com", headers={"X": "{name}"})
    assert filled(one) == one
    assert target_of(one) == target_of(call("http://a.example.com", headers={"X": "other"}))
    assert target_of(one) != target_of(call("http://b.example.com"))
    assert target_of(command("a", "b")) != target_of(command("a b"))


@given(some.text(max_size=60))
def test_no_value_ever_adds_an_argument_or_an_option(value: str) -> None:
    found = filled(command("tool", "{key}"), key=value)
    if isinstance(found, Command):
        assert len(found.arguments) == 2
        assert found.arguments[1] == value
        assert value.isprintable()
        assert not value.startswith("-")
