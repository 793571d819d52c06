"""What comes from outside may be anything: it is refused with a reason or shown harmlessly, and nothing breaks."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.e2e.harness import SHOP, Story, shown, story

pytestmark = pytest.mark.faults

GOOD = {"job_name": "sync", "status": "ERROR"}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path) as told:
        yield told


def nested(depth: int) -> str:
    return json.dumps(GOOD)[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}"


BODIES: list[tuple[Any, int, str]] = [
    ("", 400, "not JSON"),
    ("{", 400, "not JSON"),
    ("nonsense", 400, "not JSON"),
    (b"\xff\xfe\x00", 400, "not UTF-8"),
    (gzip.compress(json.dumps(GOOD).encode()), 400, "not UTF-8"),
    ("[" * 100_000, 400, "nested too deeply"),
    ('{"job_name": "a", "status": "ERROR", "n": ' + "9" * 5000 + "}", 400, "cannot be read"),
    ("null", 422, "a run is an object"),
    ("7", 422, "a run is an object"),
    ('"text"', 422, "a run is an object"),
    ("{}", 422, "is missing"),
    ({"job_name": 7, "status": "ERROR"}, 422, "string"),
    ({"job_name": "", "status": "ERROR"}, 422, "at least 1"),
    ({"job_name": "   ", "status": "ERROR"}, 422, "job_name"),
    ({"job_name": "a" * 201, "status": "ERROR"}, 422, "at most 200"),
    ({"job_name": "a", "status": "BROKEN"}, 422, "status"),
    ({**GOOD, "exit_code": "many"}, 422, "exit_code"),
    ({**GOOD, "exit_code": 10**30}, 422, "exit_code"),
    ({**GOOD, "duration_seconds": -1}, 422, "duration_seconds"),
    ('{"job_name": "a", "status": "ERROR", "duration_seconds": NaN}', 422, "duration_seconds"),
    ({**GOOD, "timestamp": "yesterday"}, 422, "such as 2026-11-20"),
    ({**GOOD, "timestamp": 1e300}, 422, "such as 2026-11-20"),
    ({**GOOD, "timestamp": "0001-01-01T00:00:00+14:00"}, 422, "timestamp"),
    ({**GOOD, "timestamp": "9999-12-31T23:59:59-14:00"}, 422, "timestamp"),
    ({**GOOD, "run_id": ["a"]}, 422, "run_id"),
    ("x" * 1_100_000, 413, "http.body_limit"),
    ([GOOD] * 10_001, 413, "at most 10000"),
]


async def test_a_body_that_cannot_be_taken_is_refused_with_the_reason(shop: Story) -> None:
    with capture_logs() as logs:
        for body, status, reason in BODIES:
            answer = await shop.post("/api/v1/runs", body)
            assert (answer[0], reason in json.dumps(answer[1])) == (status, True), (str(body)[:200], answer)
    assert [line for line in logs if line["log_level"] == "error"] == []
    await shop.settle()
    assert shop.workspace.messages("alerts") == []


async def test_every_depth_of_nesting_is_taken_or_refused(shop: Story) -> None:
    depths = (1, 8, 9, 50, 200, 400, *range(800, 1000, 5), 5000)
    answers = {depth: (await shop.post("/api/v1/runs", nested(depth)))[0] for depth in depths}
    assert set(answers.values()) <= {202, 400}, answers
    assert answers[200] == 202
    assert answers[5000] == 400


@pytest.mark.parametrize(
    ("method", "path", "status"), [("PUT", "/api/v1/runs", 405), ("POST", "/nowhere", 404)]
)
async def test_a_wrong_door_answers_in_json(shop: Story, method: str, path: str, status: int) -> None:
    url = f"http://127.0.0.1:{shop.tocsin.http.port}{path}"
    headers = {"Authorization": "Bearer a-token-for-the-api"}
    async with shop.http.request(method, url, headers=headers) as answer:
        assert answer.status == status
        assert (await answer.json())["error"]


EVIL = (
    "<!channel> <@U0KIM> <!subteam^S0ONCALL> <https://evil.example|click> "
    "``` ` *x* _y_ ~z~ &amp; \u202e @here {0} {job}"
)


async def test_nothing_in_a_run_pings_anybody_or_breaks_a_message(tmp_path: Path) -> None:
    rules = """
alerts:
  - {name: Told, condition: "status == 'ERROR'", message: "{job_name} said {error} ({output}) {list} {map}"}
"""
    async with story(tmp_path, SHOP + rules) as told:
        fields: dict[str, Any] = {
            "error": EVIL,
            "output": EVIL,
            "stderr": f"{EVIL}\n" * 50,
            "error_codes": [EVIL, EVIL],
            "list": [EVIL],
            "map": {EVIL: EVIL},
            EVIL: EVIL,
            "affected_users": EVIL,
        }
        await told.post("/api/v1/runs", {"job_name": EVIL, "status": "ERROR", "exit_code": 1, **fields})
        message = await told.alert("Told")
        assert message["blocks"], "it was sent in blocks, not as the plain rest"
        harmless(told)

        await told.press(message, "acknowledge")
        window = await told.pick(await told.becomes(message, "acknowledged by"), "resolve")
        await told.workspace.submit(window["id"], {"note": EVIL})
        await told.becomes(message, "Resolved")
        history = await told.ask("/tocsin-logs")
        status = await told.ask("/tocsin-status")
        await told.workspace.say("general", "heartbeat_check")
        await told.settle()
        harmless(told)
        for text in (history, status):
            assert_harmless(text)


def harmless(told: Story) -> None:
    """Nobody is called by anything that Tocsin said."""
    for channel in ("alerts", "general"):
        for message in told.workspace.messages(channel):
            if message.get("bot_id"):
                assert_harmless(shown({**message, "attachments": without_rich_text(message)}))
                for reply in told.workspace.replies(channel, message["ts"]):
                    assert_harmless(shown(reply))


def without_rich_text(message: dict[str, Any]) -> list[Any]:
    """The attachments without preformatted text, which Slack shows as it is."""
    return [
        {**each, "blocks": [block for block in each.get("blocks", []) if block["type"] != "rich_text"]}
        for each in message.get("attachments", [])
    ]


def assert_harmless(text: str) -> None:
    for sign in ("<!channel>", "<!here>", "<@U0KIM>", "<!subteam", "<https://evil"):
        assert sign not in text


SAYING = (
    SHOP
    + """
  talker:
    type: http
    url: {service}/talk
    every: 10m
    extract: {note: note}
    states: {critical: "note != 'fine'"}
    title: "It says {note}"
    message: "{note} and {note}"
"""
)


async def test_an_answer_of_a_service_pings_nobody(tmp_path: Path) -> None:
    async with story(tmp_path, SAYING, begin=False) as told:
        told.service.body = json.dumps({"note": EVIL})
        told.service.content_type = "application/json"
        await told.start()
        message = await told.alert("It says")
        assert message["blocks"]
        assert "&lt;!channel&gt; &lt;@U0KIM&gt;" in shown(message)
        harmless(told)


async def test_an_error_of_forty_thousand_characters_is_cut_to_what_slack_takes(shop: Story) -> None:
    long = "&<>`*_~" * 6000
    run = {**GOOD, "exit_code": 1, "error": long, "output": long, "stderr": "x" * 40_000, "traceback": long}
    assert (await shop.post("/api/v1/runs", run))[0] == 202
    message = await shop.alert("sync failed")
    assert message["blocks"]
    assert buttons_of(message)
    window = await shop.pick(message, "details")
    assert window["blocks"]
    refused = [call for call in shop.workspace.calls if call.outcome not in ("ok", "connection_dropped")]
    assert refused == []


def buttons_of(message: dict[str, Any]) -> list[Any]:
    return [b for each in message["attachments"] for b in each["blocks"] if b["type"] == "actions"]


async def test_many_fields_and_odd_numbers_are_kept(shop: Story) -> None:
    run = {**GOOD, "exit_code": 1, **{f"field_{n}": n for n in range(2000)}, "big": 2**70, "tiny": 1e-320}
    assert (await shop.post("/api/v1/runs", run))[0] == 202
    message = await shop.alert("sync failed")
    window = await shop.pick(message, "details")
    assert "field_1" in shown(window)
