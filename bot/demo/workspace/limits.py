"""What Slack refuses in a message or a view as a whole: counts, duplicates, sizes, metadata."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from bot.demo.workspace.blocks import BLOCKS, Surface, elements_of
from bot.demo.workspace.elements import plain_text
from bot.demo.workspace.errors import Refusal, error_messages, invalid_arguments
from bot.demo.workspace.schema import Problems, anything, array, boolean, record, string, tagged

BLOCKS_A_MESSAGE = 50
BLOCKS_A_VIEW = 100
CHARTS_A_MESSAGE = 2
TABLES_A_MESSAGE = 1
ATTACHMENTS_A_MESSAGE = 100
# Not documented; reports measure 13,200 to 13,300 characters over all blocks (slackapi/bolt-js #2509).
TEXT_OF_ALL_BLOCKS = 13_200
TEXT_OF_AN_UPDATE = 4_000
TEXT_OF_A_POST = 40_000
METADATA_BYTES = 8_000
VIEW_BYTES = 250_000

Json = dict[str, Any]


def check_message(blocks: list[Any] | None, attachments: list[Any] | None) -> None:
    """Raise the Refusal that chat.postMessage and chat.update answer to these, or return."""
    _refuse("invalid_blocks", _block_problems(blocks or [], "/blocks"))
    if attachments:
        _check_attachments(attachments)
    inner = [block for each in attachments or [] for block in each.get("blocks") or []]
    together = [*(blocks or []), *inner]
    code = "invalid_attachments" if inner else "invalid_blocks"
    _refuse(code, _problems_of_the_whole(together, "/attachments" if inner else "/blocks"))
    if sum(map(len, _texts(together))) > TEXT_OF_ALL_BLOCKS:
        raise Refusal("msg_blocks_too_long")


def _check_attachments(attachments: list[Any]) -> None:
    if len(attachments) > ATTACHMENTS_A_MESSAGE:
        raise Refusal("too_many_attachments")
    problems = Problems()
    for index, attachment in enumerate(attachments):
        pointer = f"/attachments/{index}"
        if not isinstance(attachment, dict):
            problems.report("must be an object", pointer)
            continue
        problems += _attachment_problems(attachment, pointer)
    _refuse("invalid_attachments", problems)


# An attachment that holds blocks may carry these beside them; with any older field Slack refuses it.
_BESIDE_BLOCKS = {"blocks", "color", "fallback", "id"}


def _attachment_problems(attachment: Json, pointer: str) -> Problems:
    problems = Problems()
    if "color" in attachment:
        string(255)(attachment["color"], f"{pointer}/color", problems)
    if not attachment.get("blocks"):
        return problems
    if not isinstance(attachment["blocks"], list):
        problems.report("must be an array", f"{pointer}/blocks")
        return problems
    for name in attachment.keys() - _BESIDE_BLOCKS:
        problems.report(f"invalid additional property: {name}", pointer)
    return Problems([*problems, *_block_problems(attachment["blocks"], f"{pointer}/blocks")])


def _block_problems(blocks: list[Any], pointer: str) -> Problems:
    problems = Problems()
    array(BLOCKS["message"], BLOCKS_A_MESSAGE, least=0)(blocks, pointer, problems)
    return problems or duplicates(blocks, pointer)


def _problems_of_the_whole(blocks: Sequence[Json], pointer: str) -> Problems:
    problems = Problems()
    if len(blocks) > BLOCKS_A_MESSAGE:
        problems.report(f"no more than {BLOCKS_A_MESSAGE} items allowed", pointer)
    kinds = [block["type"] for block in blocks]
    if kinds.count("table") > TABLES_A_MESSAGE:
        problems.report("only_one_table_allowed", pointer)
    if kinds.count("data_visualization") > CHARTS_A_MESSAGE:
        problems.report(f"no more than {CHARTS_A_MESSAGE} data_visualization blocks allowed", pointer)
    return problems


def duplicates(blocks: Sequence[Json], pointer: str) -> Problems:
    """The block ids used twice in a payload and the action ids used twice in one block."""
    problems = Problems()
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        block_id = block.get("block_id")
        if block_id in seen:
            problems.report(f"block_id already exists: {block_id}", f"{pointer}/{index}/block_id")
        if block_id is not None:
            seen.add(block_id)
        actions: set[str] = set()
        for position, element in enumerate(elements_of(block)):
            action_id = element.get("action_id")
            if action_id in actions:
                place = f"{pointer}/{index}/elements/{position}/action_id"
                problems.report(f"action_id already exists: {action_id}", place)
            if action_id is not None:
                actions.add(action_id)
    return problems


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            if name == "text" and isinstance(each, str):
                yield each
            else:
                yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def check_metadata(metadata: Any) -> None:
    """Raise the Refusal for message metadata that is not `{event_type, event_payload}`."""
    if not isinstance(metadata, dict):
        raise Refusal("invalid_metadata_format")
    if not metadata:
        return
    payload = metadata.get("event_payload")
    if not isinstance(metadata.get("event_type"), str) or not metadata["event_type"]:
        raise Refusal("invalid_metadata_schema")
    if not isinstance(payload, dict) or metadata.keys() - {"event_type", "event_payload"}:
        raise Refusal("invalid_metadata_schema")
    if len(json.dumps(metadata).encode()) > METADATA_BYTES:
        raise Refusal("metadata_too_large")


_COMMON = {
    "private_metadata": string(3000, least=0),
    "callback_id": string(255, least=0),
    "external_id": string(255, least=0),
}


def _view(surface: Surface) -> Any:
    blocks = array(BLOCKS[surface], BLOCKS_A_VIEW, least=0)
    if surface == "home":
        return record({"type": anything, "blocks": blocks}, _COMMON)
    buttons = {"submit": plain_text(24), "close": plain_text(24), "submit_disabled": boolean}
    closing = {"clear_on_close": boolean, "notify_on_close": boolean}
    required = {"type": anything, "title": plain_text(24), "blocks": blocks}
    return record(required, {**_COMMON, **buttons, **closing})


_VIEWS: dict[str, Any] = {
    "modal": tagged({"modal": _view("modal")}),
    "home": tagged({"home": _view("home")}),
}


def check_view(view: Any, kind: str) -> None:
    """Raise the Refusal that views.open, views.push, views.update or views.publish answer to this view."""
    problems = Problems()
    _VIEWS[kind](view, "/view", problems)
    if not problems:
        problems += duplicates(view["blocks"], "/view/blocks")
        if kind == "modal" and "submit" not in view and any(b["type"] == "input" for b in view["blocks"]):
            problems.report("missing required field: submit", "/view")
    if problems:
        raise invalid_arguments(*problems)
    if len(json.dumps(view).encode()) > VIEW_BYTES:
        raise Refusal("view_too_large")


def _refuse(code: str, problems: Problems) -> None:
    if problems:
        raise Refusal(code, errors=list(problems), response_metadata=error_messages(problems))
