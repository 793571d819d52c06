"""What a user chooses and types, in the form interactions carry it, held against the element shown."""

import re
from collections.abc import Iterator
from typing import Any

from bot.demo.workspace.blocks import elements_of
from bot.demo.workspace.state import Json, View

# What one entry is called in a payload, and the name its element gives the value it starts with.
NAMES = {
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
    "file_input": ("files", "initial_files"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "overflow": ("selected_option", ""),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "checkboxes": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "multi_users_select": ("selected_users", "initial_users"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
}
REQUIRED = "Please complete this required field."
Choice = str | int | list[str] | None


class NotOffered(LookupError):
    """The user cannot do this: no such message, view, element or option is in front of them."""


def options_of(element: Json) -> list[Json]:
    """Every option an element offers."""
    offered = list(element.get("options", []))
    for group in element.get("option_groups", []):
        offered += group["options"]
    return offered


def chosen(element: Json, choice: Choice) -> Json:
    """The entry a choice makes in this element, options by value; NotOffered when there is no such option."""
    kind = element["type"]
    if kind not in NAMES:
        return {}
    name = NAMES[kind][0]
    if name == "selected_options":
        wanted = choice if isinstance(choice, list) else [] if choice is None else [choice]
        return {name: [_option(element, value) for value in wanted]}
    if name == "selected_option":
        return {name: None if choice is None else _option(element, choice)}
    if name.endswith("s"):
        return {name: choice if isinstance(choice, list) else [] if choice is None else [choice]}
    return {name: choice}


def _option(element: Json, value: object) -> Json:
    if element["type"] in ("external_select", "multi_external_select"):
        return {"text": {"type": "plain_text", "text": str(value), "emoji": True}, "value": str(value)}
    for option in options_of(element):
        if option["value"] == value:
            return {name: each for name, each in option.items() if name != "url"}
    offered = ", ".join(option["value"] for option in options_of(element))
    raise NotOffered(f"{element.get('action_id')} offers {offered or 'nothing'}, not {value}")


def choice_in(entry: Json) -> Choice:
    """The choice an entry stands for: the inverse of `chosen`, for entries a page sends."""
    for name in ("selected_options",):
        if isinstance(entry.get(name), list):
            return [str(each.get("value")) for each in entry[name] if isinstance(each, dict)]
    option = entry.get("selected_option")
    if isinstance(option, dict):
        return str(option.get("value"))
    for name, value in entry.items():
        if (name.startswith("selected_") or name == "value") and value is not None:
            return [str(each) for each in value] if isinstance(value, list) else _plain(value)
    return None


def _plain(value: object) -> str | int:
    return value if isinstance(value, int) and not isinstance(value, bool) else str(value)


def entered(view: View, given: Json) -> Json:
    """`state.values` of a view: what was given, else entered before, else what the element started with.

    `given` maps block ids to the plain choice, or to `{action_id: entry}` as Slack writes it.
    """
    unknown = given.keys() - {block["block_id"] for block in view.content["blocks"]}
    if unknown:
        raise NotOffered(f"the view has no block {', '.join(sorted(unknown))}")
    state: Json = {}
    for block, element in stateful(view.content["blocks"]):
        entry = _entry(block, element, given, view.values)
        state.setdefault(block["block_id"], {})[_action_id(element)] = {"type": element["type"], **entry}
    return state


def stateful(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Each block with each of its elements that keeps what the user entered."""
    for block in blocks:
        for element in elements_of(block):
            if element["type"] in NAMES and element["type"] != "overflow":
                yield block, element


def _action_id(element: Json) -> str:
    return str(element.get("action_id", ""))


def _entry(block: Json, element: Json, given: Json, before: Json) -> Json:
    block_id, action_id = block["block_id"], _action_id(element)
    name, initial = NAMES[element["type"]]
    if block_id in given:
        value = given[block_id]
        if isinstance(value, dict):
            if action_id not in value:
                return chosen(element, None)
            value = choice_in(value[action_id]) if isinstance(value[action_id], dict) else value[action_id]
        return chosen(element, value)
    if action_id in before.get(block_id, {}):
        kept = before[block_id][action_id]
        return {name: kept.get(name)}
    return {name: element.get(initial)} if initial in element else chosen(element, None)


def mistakes(view: View, state: Json) -> dict[str, str]:
    """What Slack's own form would complain about before it sends anything, by block id."""
    found = {}
    for block, element in stateful(view.content["blocks"]):
        if block["type"] != "input":
            continue
        entry = state[block["block_id"]][_action_id(element)]
        if message := _mistake(block, element, entry[NAMES[element["type"]][0]]):
            found[block["block_id"]] = message
    return found


def _mistake(block: Json, element: Json, value: Any) -> str:
    if value in (None, "", []):
        return "" if block.get("optional") else REQUIRED
    if element["type"] == "plain_text_input":
        if len(value) < element.get("min_length", 0):
            return f"Please enter at least {element['min_length']} characters."
        if len(value) > element.get("max_length", 3000):
            return f"Please enter at most {element.get('max_length', 3000)} characters."
    if element["type"] == "number_input" and not re.fullmatch(r"-?\d+(\.\d+)?", str(value)):
        return "Please enter a number."
    return ""
