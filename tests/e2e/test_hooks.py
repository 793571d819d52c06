"""Other tools post their alerts, and Slack shows them: Prometheus' pushes, Alertmanager, Grafana, Sentry."""

import base64
import hashlib
import hmac
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from handlers.http.labelled import Notified, Pushed, fingerprint_of, resource_of
from tests.e2e.harness import SHOP, TOKEN, Json, Story, shown, story

SECRET = "a-secret-of-the-integration"
SIGNED = SHOP.replace("{bind:", f"{{sentry_secret: {SECRET}, bind:")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DISK = {"alertname": "DiskFull", "instance": "web-1:9100", "severity": "critical", "device": "sda1"}
SAID = {
    "summary": "Disk of web-1 is 96 % full",
    "description": "It fills up within two hours",
    "runbook_url": "https://wiki.example.com/disk",
}


def pushed(told: Story, ends: timedelta | None, **labels: str) -> Json:
    """An alert as Prometheus pushes it, ending so long from now."""
    given = {"labels": {**DISK, **labels}, "annotations": SAID,
             "generatorURL": "http://prometheus.example.com/graph?g0.expr=disk"}  # fmt: skip
    return given if ends is None else {**given, "endsAt": (told.clock() + ends).isoformat()}


def notified(status: str, **more: Any) -> Json:
    """An alert as Alertmanager and Grafana tell of it."""
    return {"status": status, "labels": DISK, "annotations": SAID, "endsAt": "0001-01-01T00:00:00Z", **more}


async def listed(told: Story) -> list[Json]:
    url = f"http://127.0.0.1:{told.tocsin.http.port}/api/v1/alerts"
    async with told.http.get(url, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        items: list[Json] = (await answer.json())["items"]
        return items


async def sent(told: Story, path: str, body: Any, **headers: str) -> tuple[int, Json]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"http://127.0.0.1:{told.tocsin.http.port}{path}"
    async with told.http.post(url, data=io.BytesIO(data), headers=headers) as answer:
        return answer.status, await answer.json()


async def from_sentry(told: Story, kind: str, body: Any, secret: str = SECRET) -> tuple[int, Json]:
    data = json.dumps(body).encode()
    signature = hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()
    return await sent(
        told, "/hooks/sentry", data, **{"Sentry-Hook-Resource": kind, "Sentry-Hook-Signature": signature}
    )


async def test_what_is_pushed_is_told_and_is_over_when_its_end_has_passed(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        answer = await told.post("/api/v2/alerts", [pushed(told, timedelta(minutes=4))])
        message = await told.alert("Disk of web-1")
        await told.post("/api/v2/alerts", [pushed(told, -timedelta(seconds=1))])
        await told.becomes(message, "Resolved: Disk of web-1")

    assert answer == (200, {"accepted": 1})
    text = shown(message)
    for part in ("*P1 critical: Disk of web-1 is 96 % full*", "It fills up within two hours", "web-1:9100",
                 "wiki.example.com/disk", "prometheus.example.com/graph", "device: sda1"):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(("ends", "lasts"), [(timedelta(minutes=4), 4), (None, 5)])
async def test_what_is_not_pushed_again_expires(tmp_path: Path, ends: timedelta | None, lasts: int) -> None:
    async with story(tmp_path) as told:
        await told.post("/api/v2/alerts", [pushed(told, ends)])
        message = await told.alert("Disk of web-1")
        opened = datetime.fromisoformat((await listed(told))[0]["last_seen"])
        told.clock.skip_to(opened + timedelta(minutes=lasts, seconds=-30))
        await told.tocsin.alerting.tick()
        still = (await listed(told))[0]["status"]
        told.skip(timedelta(seconds=31))
        await told.tocsin.alerting.tick()
        await told.becomes(message, "Expired: Disk of web-1")

    assert still == "active"


async def test_other_labels_are_another_alert_with_its_own_end(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        soon = timedelta(minutes=4)
        both = [pushed(told, soon), pushed(told, soon, device="sdb1"), pushed(told, soon)]
        await told.post("/api/v2/alerts", both)
        await told.post("/api/v2/alerts", [pushed(told, -soon, device="sdb1")])
        found = await listed(told)

    states = {each["fields"]["device"]: (each["status"], each["count"]) for each in found}
    assert states == {"sda1": ("active", 2), "sdb1": ("resolved", 1)}


async def test_alertmanager_tells_of_the_alert_that_prometheus_pushed(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.post("/api/v2/alerts", [pushed(told, timedelta(minutes=4))])
        again = {"version": "4", "status": "firing", "alerts": [notified("firing")], "truncatedAlerts": 0}
        first = await told.post("/hooks/alertmanager", again)
        (firing,) = await listed(told)
        await told.post("/hooks/alertmanager", {**again, "alerts": [notified("resolved")]})
        (over,) = await listed(told)

    assert first == (200, {"accepted": 1})
    assert (firing["status"], firing["count"], over["status"]) == ("active", 2, "resolved")


async def test_grafana_brings_its_values_and_the_panel_to_look_at(tmp_path: Path) -> None:
    more = {
        "fingerprint": "c6eadffa33fcdf37",
        "values": {"B": 96.5},
        "panelURL": "https://grafana.example.com/d/x?viewPanel=2",
        "silenceURL": "https://grafana.example.com/alerting/silence/new",
    }
    async with story(tmp_path) as told:
        body = {"version": "1", "orgId": 1, "state": "alerting", "alerts": [notified("firing", **more)]}
        answer = await told.post("/hooks/grafana", body)
        message = await told.alert("Disk of web-1")
        await told.post("/hooks/grafana", {"alerts": [notified("resolved", **more)]})
        await told.becomes(message, "Resolved: Disk of web-1")

    assert answer[0] == 200
    for part in ("value B: 96.5", "viewPanel=2", "alerting/silence/new", "web-1:9100 #c6eadffa"):
        assert part in shown(message)


ISSUE = {
    "action": "triggered",
    "data": {
        "event": {
            "issue_id": "1170820242",
            "title": "KeyError: cart",
            "culprit": "shop.views in checkout",
            "level": "error",
            "web_url": "https://sentry.example.com/issues/1170820242/",
            "tags": [["environment", "production"], ["user", None]],
            "exception": {
                "values": [
                    {
                        "type": "KeyError",
                        "value": "cart",
                        "stacktrace": {
                            "frames": [{"filename": "shop.py", "lineno": 3, "function": "checkout"}]
                        },
                    }
                ]
            },
        },
        "triggered_rule": "New errors in the shop",
    },
}


async def test_an_issue_of_sentry_is_told_until_it_is_resolved_there(tmp_path: Path) -> None:
    async with story(tmp_path, SIGNED) as told:
        answer = await from_sentry(told, "event_alert", ISSUE)
        message = await told.alert("KeyError: cart")
        issue = {"id": "1170820242", "title": "KeyError: cart"}
        assigned = await from_sentry(told, "issue", {"action": "assigned", "data": {"issue": issue}})
        await from_sentry(told, "issue", {"action": "resolved", "data": {"issue": issue}})
        await told.becomes(message, "Resolved: KeyError: cart")

    assert (answer, assigned) == ((200, {"accepted": 1}), (200, {"accepted": 0}))
    for part in ("*P2 high: KeyError: cart*", "shop.py:3 in checkout", "environment: production",
                 "New errors in the shop", "https://sentry.example.com/issues/1170820242/"):  # fmt: skip
        assert part in shown(message)


async def test_a_metric_alert_of_sentry_follows_its_incident(tmp_path: Path) -> None:
    metric = {"metric_alert": {"id": "7", "title": "Checkout errors"}, "description_text": "120 events"}
    async with story(tmp_path, SIGNED) as told:
        for action in ("warning", "critical"):
            await from_sentry(told, "metric_alert", {"action": action, "data": metric})
        (worst,) = await listed(told)
        await from_sentry(told, "metric_alert", {"action": "resolved", "data": metric})
        (over,) = await listed(told)

    assert (worst["severity"], worst["reason"]) == ("critical", "120 events")
    assert over["status"] == "resolved"


async def test_sentry_is_heard_only_with_the_right_signature(tmp_path: Path) -> None:
    async with story(tmp_path, SIGNED) as told:
        forged = await from_sentry(told, "event_alert", ISSUE, secret="another")
        unsigned = await sent(told, "/hooks/sentry", ISSUE, **{"Sentry-Hook-Resource": "event_alert"})
        bearer = await told.post("/hooks/sentry", ISSUE)
        unfit = await from_sentry(told, "event_alert", {"data": {"event": {"title": "x"}}})
        other = await from_sentry(told, "installation", {"action": "created"})
        nothing = await listed(told)
    async with story(tmp_path / "..", SHOP, database=f"sqlite:///{tmp_path}/closed.db") as told:
        closed = await from_sentry(told, "event_alert", ISSUE)

    assert (forged[0], unsigned[0], bearer[0]) == (401, 401, 401)
    assert (unfit[0], unfit[1]["details"][0]["path"]) == (422, "data.event.issue_id")
    assert (other, nothing) == ((200, {"accepted": 0}), [])
    assert (closed[0], "http.sentry_secret" in closed[1]["error"]) == (403, True)


async def test_who_posts_must_know_the_token_as_bearer_or_as_password(tmp_path: Path) -> None:
    def basic(password: str) -> str:
        return "Basic " + base64.b64encode(f"any:{password}".encode()).decode()

    async with story(tmp_path) as told:
        answers = {}
        for path, body in (("/api/v2/alerts", []), ("/hooks/grafana", {"alerts": []})):
            for given in (
                basic(TOKEN),
                f"Bearer {TOKEN}",
                basic("another"),
                "Basic ???",
                "Basic é",
                "",
                TOKEN[:5],
            ):
                answers[path, given] = (await sent(told, path, body, Authorization=given))[0]
        elsewhere = await sent(told, "/api/v1/alerts", [], Authorization=basic(TOKEN))

    assert [*answers.values()] == [200, 200, 401, 401, 401, 401, 401] * 2
    assert elsewhere[0] == 401


WRONG: list[tuple[str, Any, int, str]] = [
    ("/api/v2/alerts", b"[{", 400, "not JSON"),
    ("/api/v2/alerts", b"\xff", 400, "not UTF-8"),
    ("/api/v2/alerts", b"[" * 100_000, 400, "nested too deeply"),
    ("/api/v2/alerts", {"labels": {}}, 422, "post an array"),
    ("/api/v2/alerts", [7], 422, '"path": "0"'),
    ("/api/v2/alerts", [{"labels": {}}], 422, '"path": "0.labels"'),
    ("/api/v2/alerts", [{"labels": {"alertname": 7}}], 422, '"path": "0.labels.alertname"'),
    ("/api/v2/alerts", [{"labels": DISK, "endsAt": "soon"}], 422, '"path": "0.endsAt"'),
    ("/api/v2/alerts", [{"labels": DISK, "endsAt": "2026-03-02T12:00:00"}], 422, '"path": "0.endsAt"'),
    ("/api/v2/alerts", [{"labels": DISK}] * 1001, 413, "at most 1000"),
    ("/api/v2/alerts", b" " * 1_100_000, 413, "http.body_limit"),
    ("/hooks/alertmanager", [], 422, "no notification"),
    ("/hooks/alertmanager", {"version": "3", "alerts": []}, 422, '"path": "version"'),
    ("/hooks/alertmanager", {"alerts": [notified("odd")]}, 422, '"path": "alerts.0.status"'),
    ("/hooks/grafana", {"alerts": [{}] * 1001}, 413, "at most 1000"),
    ("/hooks/grafana", {"alerts": {}}, 422, '"path": "alerts"'),
]


async def test_what_does_not_fit_is_refused_by_its_place(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        for path, body, status, reason in WRONG:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            answer = await told.post(path, data)
            assert (answer[0], reason in json.dumps(answer[1])) == (status, True), (path, answer)
        assert await listed(told) == []

        mixed = await told.post("/api/v2/alerts", [7, pushed(told, timedelta(minutes=4))])
        found = await listed(told)

    assert (mixed[0], mixed[1]["error"]) == (422, "1 of 2 alerts do not fit; the others are taken")
    assert [each["title"] for each in found] == ["Disk of web-1 is 96 % full"]


@pytest.mark.parametrize(
    ("ends", "over", "lasts"),
    [
        ("0001-01-01T00:00:00Z", False, timedelta(minutes=5)),
        ("0001-01-01T00:00:00+14:00", False, timedelta(minutes=5)),
        ("9999-12-31T23:59:59-14:00", False, timedelta(days=30)),
        ("2026-03-02T12:04:00.123456789Z", False, timedelta(minutes=4, microseconds=123456)),
        ("2026-03-02T12:00:00Z", True, None),
        ("2026-03-02T11:59:00Z", True, None),
    ],
)
def test_the_end_says_whether_it_fires_and_how_long(ends: str, over: bool, lasts: timedelta | None) -> None:
    raised = Pushed.model_validate({"labels": DISK, "endsAt": ends}).at(NOON)
    assert (raised.over, raised.expire_after) == (over, lasts)


@pytest.mark.parametrize(
    ("word", "severity"),
    [("critical", "P1"), ("page", "P1"), ("Error", "P2"), ("warning", "P3"), ("info", "P4"), ("odd", "P3")],
)
def test_any_teams_word_is_a_severity(word: str, severity: str) -> None:
    given = {"status": "firing", "labels": {"alertname": "DatabaseDown", "severity": word}}
    assert Notified.model_validate(given).raised(over=False).judged.priority == severity


@pytest.mark.parametrize(
    ("labels", "resource"),
    [
        ({"alertname": "A", "instance": "web-1"}, "web-1"),
        ({"alertname": "A", "instance": "web-1", "device": "sda"}, "web-1 #01234567"),
        ({"alertname": "A", "service": "shop", "job": "node"}, "shop #01234567"),
        ({"alertname": "A"}, "#01234567"),
    ],
)
def test_the_resource_is_the_place_and_what_tells_two_apart(labels: dict[str, str], resource: str) -> None:
    assert resource_of(labels, "0123456789abcdef") == resource


async def test_half_a_character_anywhere_is_kept_as_a_question_mark(tmp_path: Path) -> None:
    half = "\ud800"
    labels = {"alertname": f"Odd{half}", "instance": f"web{half}", half: half, "category": f"c{half}"}
    said = {"summary": f"Odd{half}", "description": half, "runbook_url": f"https://example.com/{half}"}
    more = {"values": {half: half}, "panelURL": f"https://example.com/{half}", "fingerprint": half}
    async with story(tmp_path) as told:
        one = {"labels": labels, "annotations": said, "generatorURL": half}
        pushed = await told.post("/api/v2/alerts", [one])
        grafana = await told.post("/hooks/grafana", {"alerts": [{**one, **more, "status": "firing"}]})
        (found,) = await listed(told)

    assert (pushed[0], grafana[0]) == (200, 200)
    assert (found["title"], found["count"], found["category"]) == ("Odd?", 2, "c?")


def test_labels_in_another_order_are_the_same_alert() -> None:
    assert fingerprint_of(dict(reversed(DISK.items()))) == fingerprint_of(DISK)
    assert fingerprint_of({"a": "bc"}) != fingerprint_of({"ab": "c"})
