"""The shapes of Block Kit's elements and composition objects, with the limits Slack documents for each."""

from typing import Any

from bot.demo.workspace.schema import (
    Problems,
    Shape,
    all_of,
    anything,
    array,
    boolean,
    exactly_one,
    integer,
    matching,
    one_of,
    record,
    string,
    tagged,
)

IDENTIFIER = string(255)
URL = all_of(string(3000), matching(r"(?s)[A-Za-z][A-Za-z0-9+.-]*:.+", "must be a valid URL"))
IMAGE_URL = all_of(string(3000), matching(r"(?s)https?://.+", "must be a valid URL"))
DATE = matching(r"\d{4}-\d{2}-\d{2}", "must be a date in the form YYYY-MM-DD")
TIME = matching(r"([01]\d|2[0-3]):[0-5]\d", "must be a time in the form HH:mm")


def plain_text(most: int) -> Shape:
    """A `plain_text` object of at most `most` characters."""
    return tagged({"plain_text": record({"type": anything, "text": string(most)}, {"emoji": boolean})})


def text_object(most: int) -> Shape:
    """A `plain_text` or `mrkdwn` object of at most `most` characters."""
    return tagged(
        {
            "plain_text": record({"type": anything, "text": string(most)}, {"emoji": boolean}),
            "mrkdwn": record({"type": anything, "text": string(most)}, {"verbatim": boolean}),
        }
    )


CONFIRM = record(
    {"title": plain_text(100), "text": text_object(300), "confirm": plain_text(30), "deny": plain_text(30)},
    {"style": one_of("primary", "danger")},
)


def _option(text: Shape, *, links: bool = False) -> Shape:
    optional = {"description": text_object(75), **({"url": URL} if links else {})}
    return record({"text": text, "value": string(150)}, optional)


PLAIN_OPTION = _option(plain_text(75))
RICH_OPTION = _option(text_object(75))
OPTION_GROUP = record({"label": plain_text(75), "options": array(PLAIN_OPTION, 100)})
PLACEHOLDER = {"placeholder": plain_text(150)}
FOCUS = {"focus_on_load": boolean}
ASKING = {"confirm": CONFIRM}
MANY = {"max_selected_items": integer(1, 100)}


def _element(required: dict[str, Shape] | None = None, /, **optional: Shape) -> Shape:
    return record({"type": anything, **(required or {})}, {"action_id": IDENTIFIER, **optional})


def _initial_is_an_option(value: Any, pointer: str, problems: Problems) -> None:
    offered = list(value.get("options", []))
    for group in value.get("option_groups", []):
        offered += group["options"]
    values = {option["value"] for option in offered}
    chosen = value.get("initial_options", [value["initial_option"]] if "initial_option" in value else [])
    for option in chosen:
        if option["value"] not in values:
            field = "initial_options" if "initial_options" in value else "initial_option"
            problems.report("initial options must be among the options", f"{pointer}/{field}")


def _menu(required: dict[str, Shape] | None = None, /, **optional: Shape) -> Shape:
    return _element(required, **PLACEHOLDER, **FOCUS, **ASKING, **optional)


def _static_menu(**optional: Shape) -> Shape:
    shape = _menu(options=array(PLAIN_OPTION, 100), option_groups=array(OPTION_GROUP, 100), **optional)
    return all_of(shape, exactly_one("options", "option_groups"), _initial_is_an_option)


CONVERSATION_FILTER = record(
    {},
    {
        "include": array(one_of("im", "mpim", "private", "public"), 4),
        "exclude_external_shared_channels": boolean,
        "exclude_bot_users": boolean,
    },
)
CONVERSATIONS = {"default_to_current_conversation": boolean, "filter": CONVERSATION_FILTER}

BUTTON = _element(
    {"text": plain_text(75)},
    url=URL,
    value=string(2000),
    style=one_of("primary", "danger"),
    confirm=CONFIRM,
    accessibility_label=string(75),
)
OVERFLOW = _element({"options": array(_option(plain_text(75), links=True), 5)}, **ASKING)
IMAGE = all_of(
    record(
        {"type": anything, "alt_text": string(2000)},
        {"image_url": IMAGE_URL, "slack_file": record({}, {"id": string(255), "url": URL})},
    ),
    exactly_one("image_url", "slack_file"),
)
CHECKBOXES = all_of(
    _element({"options": array(RICH_OPTION, 10)}, initial_options=array(RICH_OPTION, 10), **ASKING, **FOCUS),
    _initial_is_an_option,
)
RADIO_BUTTONS = all_of(
    _element({"options": array(RICH_OPTION, 10)}, initial_option=RICH_OPTION, **ASKING, **FOCUS),
    _initial_is_an_option,
)

SELECTS: dict[str, Shape] = {
    "static_select": _static_menu(initial_option=PLAIN_OPTION),
    "external_select": _menu(initial_option=PLAIN_OPTION, min_query_length=integer(0, 3000)),
    "users_select": _menu(initial_user=string(255)),
    "conversations_select": _menu(
        initial_conversation=string(255), response_url_enabled=boolean, **CONVERSATIONS
    ),
    "channels_select": _menu(initial_channel=string(255), response_url_enabled=boolean),
}
MULTI_SELECTS: dict[str, Shape] = {
    "multi_static_select": _static_menu(initial_options=array(PLAIN_OPTION, 100), **MANY),
    "multi_external_select": _menu(
        initial_options=array(PLAIN_OPTION, 100), min_query_length=integer(0, 3000), **MANY
    ),
    "multi_users_select": _menu(initial_users=array(string(255), 100), **MANY),
    "multi_conversations_select": _menu(
        initial_conversations=array(string(255), 100), **CONVERSATIONS, **MANY
    ),
    "multi_channels_select": _menu(initial_channels=array(string(255), 100), **MANY),
}
PICKERS: dict[str, Shape] = {
    "datepicker": _menu(initial_date=DATE),
    "timepicker": _menu(initial_time=TIME, timezone=string(255)),
    "datetimepicker": _element(initial_date_time=integer(1_000_000_000, 9_999_999_999), **ASKING, **FOCUS),
}
CHOICES: dict[str, Shape] = {"checkboxes": CHECKBOXES, "radio_buttons": RADIO_BUTTONS}

DISPATCH = record({}, {"trigger_actions_on": array(one_of("on_enter_pressed", "on_character_entered"), 2)})
TYPED = {**PLACEHOLDER, **FOCUS, "dispatch_action_config": DISPATCH}
TYPED_INPUTS: dict[str, Shape] = {
    "plain_text_input": _element(
        multiline=boolean,
        initial_value=string(3000, least=0),
        min_length=integer(0, 3000),
        max_length=integer(1, 3000),
        **TYPED,
    ),
    "email_text_input": _element(initial_value=string(3000, least=0), **TYPED),
    "url_text_input": _element(initial_value=string(3000, least=0), **TYPED),
    "number_input": _element(
        {"is_decimal_allowed": boolean},
        initial_value=string(255),
        min_value=string(255),
        max_value=string(255),
        **TYPED,
    ),
    "rich_text_input": _element(initial_value=anything, **TYPED),
    "file_input": _element(filetypes=array(string(255), 100), max_files=integer(1, 10)),
}

ACCESSORIES: dict[str, Shape] = {
    "button": BUTTON,
    "overflow": OVERFLOW,
    "image": IMAGE,
    **SELECTS,
    **MULTI_SELECTS,
    **PICKERS,
    **CHOICES,
}
ACTIONS: dict[str, Shape] = {"button": BUTTON, "overflow": OVERFLOW, **SELECTS, **PICKERS, **CHOICES}
INPUTS: dict[str, Shape] = {**SELECTS, **MULTI_SELECTS, **PICKERS, **CHOICES, **TYPED_INPUTS}
