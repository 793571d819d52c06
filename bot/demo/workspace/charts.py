"""The shape of native charts (`data_visualization`) and of tables, with the limits Slack documents."""

from typing import Any

from bot.demo.workspace.elements import IDENTIFIER
from bot.demo.workspace.rich_text import RICH_TEXT
from bot.demo.workspace.schema import (
    Problems,
    all_of,
    anything,
    array,
    boolean,
    integer,
    number,
    one_of,
    positive_number,
    record,
    string,
    tagged,
)

LABEL = string(20)
SERIES = record(
    {"name": LABEL, "data": array(record({"label": LABEL, "value": number}), 20)},
)
AXES = record({"categories": array(LABEL, 20)}, {"x_label": string(50), "y_label": string(50)})


def _series_fit_the_axis(chart: Any, pointer: str, problems: Problems) -> None:
    categories = chart["axis_config"]["categories"]
    names = [series["name"] for series in chart["series"]]
    if len(set(names)) < len(names):
        problems.report("series names must be unique", f"{pointer}/series")
    for index, series in enumerate(chart["series"]):
        if sorted(point["label"] for point in series["data"]) != sorted(categories):
            problems.report("data labels must match the axis categories", f"{pointer}/series/{index}/data")


_PLOTTED = all_of(
    record({"type": anything, "series": array(SERIES, 6), "axis_config": AXES}), _series_fit_the_axis
)
CHART = tagged(
    {
        "pie": record(
            {"type": anything, "segments": array(record({"label": LABEL, "value": positive_number}), 6)}
        ),
        "bar": _PLOTTED,
        "area": _PLOTTED,
        "line": _PLOTTED,
    }
)
DATA_VISUALIZATION = record({"type": anything, "title": string(50), "chart": CHART}, {"block_id": IDENTIFIER})

_RAW_TEXT = record({"type": anything, "text": string(3000)})
_CELL = tagged({"raw_text": _RAW_TEXT, "rich_text": RICH_TEXT})
_COLUMN = record({}, {"align": one_of("left", "center", "right"), "is_wrapped": boolean})


def _rows_are_of_one_length(table: Any, pointer: str, problems: Problems) -> None:
    if len({len(row) for row in table["rows"]}) > 1:
        problems.report("every row must have the same number of cells", f"{pointer}/rows")


TABLE = record(
    {"type": anything, "rows": array(array(_CELL, 20), 100)},
    {"block_id": IDENTIFIER, "column_settings": array(_COLUMN, 20)},
)
_DATA_CELL = tagged(
    {
        "raw_text": _RAW_TEXT,
        "raw_number": record({"type": anything, "value": number}, {"text": string(3000)}),
        "rich_text": RICH_TEXT,
    }
)
DATA_TABLE = all_of(
    record(
        {"type": anything, "caption": string(255), "rows": array(array(_DATA_CELL, 20), 201, least=2)},
        {"block_id": IDENTIFIER, "page_size": integer(1, 100), "row_header_column_index": integer(0, 19)},
    ),
    _rows_are_of_one_length,
)
