"""The shapes of Block Kit's blocks, and which of them each surface accepts."""

from typing import Any, Literal

from bot.demo.workspace.charts import DATA_TABLE, DATA_VISUALIZATION, TABLE
from bot.demo.workspace.elements import (
    ACCESSORIES,
    ACTIONS,
    IDENTIFIER,
    IMAGE,
    IMAGE_URL,
    INPUTS,
    URL,
    plain_text,
    text_object,
)
from bot.demo.workspace.rich_text import RICH_TEXT
from bot.demo.workspace.schema import (
    Problems,
    Shape,
    all_of,
    anything,
    array,
    boolean,
    exactly_one,
    one_of,
    record,
    string,
    tagged,
)

Surface = Literal["message", "modal", "home"]


def _block(required: dict[str, Shape], **optional: Shape) -> Shape:
    return record({"type": anything, **required}, {"block_id": IDENTIFIER, **optional})


def _has_text_or_fields(block: Any, pointer: str, problems: Problems) -> None:
    if "text" not in block and "fields" not in block:
        problems.report("must provide text or fields", pointer)


_CONTEXT_TEXT = text_object(2000)


def _context_element(value: Any, pointer: str, problems: Problems) -> None:
    is_image = isinstance(value, dict) and value.get("type") == "image"
    (IMAGE if is_image else _CONTEXT_TEXT)(value, pointer, problems)


_EVERYWHERE: dict[str, Shape] = {
    "section": all_of(
        _block(
            {},
            text=text_object(3000),
            fields=array(text_object(2000), 10),
            accessory=tagged(ACCESSORIES),
            expand=boolean,
        ),
        _has_text_or_fields,
    ),
    "header": _block({"text": plain_text(150)}),
    "divider": _block({}),
    "context": _block({"elements": array(_context_element, 10)}),
    "actions": _block({"elements": array(tagged(ACTIONS), 25)}),
    "image": all_of(
        _block(
            {"alt_text": string(2000)},
            image_url=IMAGE_URL,
            slack_file=record({}, {"id": string(255), "url": URL}),
            title=plain_text(2000),
        ),
        exactly_one("image_url", "slack_file"),
    ),
    "rich_text": RICH_TEXT,
    "video": _block(
        {
            "alt_text": string(2000),
            "title": plain_text(199),
            "thumbnail_url": IMAGE_URL,
            "video_url": IMAGE_URL,
        },
        author_name=string(49),
        description=plain_text(2000),
        provider_icon_url=IMAGE_URL,
        provider_name=string(255),
        title_url=IMAGE_URL,
    ),
}
_INPUT: dict[str, Shape] = {
    "input": _block(
        {"label": plain_text(2000), "element": tagged(INPUTS)},
        hint=plain_text(2000),
        optional=boolean,
        dispatch_action=boolean,
    )
}
_MESSAGE_ONLY: dict[str, Shape] = {
    "markdown": _block({"text": string(12_000)}),
    "table": TABLE,
    "data_table": DATA_TABLE,
    "data_visualization": DATA_VISUALIZATION,
}
_MODAL_ONLY: dict[str, Shape] = {
    "alert": _block(
        {"text": text_object(200)}, level=one_of("default", "info", "warning", "error", "success")
    )
}
BLOCKS: dict[Surface, Shape] = {
    "message": tagged({**_EVERYWHERE, **_MESSAGE_ONLY}),
    "modal": tagged({**_EVERYWHERE, **_INPUT, **_MODAL_ONLY}),
    "home": tagged({**_EVERYWHERE, **_INPUT}),
}


def elements_of(block: dict[str, Any]) -> list[dict[str, Any]]:
    """The interactive elements of a block, in reading order; layout elements are left out."""
    held = block.get("elements", []) if block.get("type") in ("actions", "context") else []
    held = [*held, *(block[name] for name in ("accessory", "element") if name in block)]
    plain = ("image", "mrkdwn", "plain_text")
    return [element for element in held if isinstance(element, dict) and element.get("type") not in plain]
