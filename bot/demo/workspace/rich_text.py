"""The shape of rich text: sections, lists, quotes and preformatted text, and what stands in them."""

from bot.demo.workspace.elements import IDENTIFIER, URL
from bot.demo.workspace.schema import Shape, anything, array, boolean, integer, one_of, record, string, tagged

_STYLES = ("bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink")
STYLE = {"style": record({}, dict.fromkeys(_STYLES, boolean))}


def _leaf(required: dict[str, Shape], **optional: Shape) -> Shape:
    return record({"type": anything, **required}, {**STYLE, **optional})


# Slack names no limit for one run of text; the message as a whole has one.
RUN = string(40_000)
LEAVES: dict[str, Shape] = {
    "text": _leaf({"text": RUN}),
    "link": _leaf({"url": URL}, text=RUN, unsafe=boolean),
    "emoji": _leaf({"name": string(255)}, unicode=string(255), skin_tone=integer(1, 6)),
    "user": _leaf({"user_id": string(255)}),
    "usergroup": _leaf({"usergroup_id": string(255)}),
    "channel": _leaf({"channel_id": string(255)}),
    "team": _leaf({"team_id": string(255)}),
    "broadcast": _leaf({"range": one_of("here", "channel", "everyone")}),
    "color": _leaf({"value": string(255)}),
    "date": _leaf({"timestamp": integer(0, 99_999_999_999), "format": string(255)}, url=URL, fallback=RUN),
}
_BORDER = {"border": integer(0, 1)}
_INLINE = array(tagged(LEAVES), 1000, least=0)

SECTION = record({"type": anything, "elements": _INLINE})
PARTS: dict[str, Shape] = {
    "rich_text_section": SECTION,
    "rich_text_preformatted": record(
        {
            "type": anything,
            "elements": array(tagged({kind: LEAVES[kind] for kind in ("text", "link")}), 1000),
        },
        {**_BORDER, "language": string(255)},
    ),
    "rich_text_quote": record({"type": anything, "elements": _INLINE}, _BORDER),
    "rich_text_list": record(
        {
            "type": anything,
            "style": one_of("bullet", "ordered"),
            "elements": array(tagged({"rich_text_section": SECTION}), 1000),
        },
        {"indent": integer(0, 8), "offset": integer(0, 1_000_000), **_BORDER},
    ),
}
RICH_TEXT = record(
    {"type": anything, "elements": array(tagged(PARTS), 1000, least=0)}, {"block_id": IDENTIFIER}
)
