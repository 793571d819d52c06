"""Alerts leave by mail, PagerDuty, webhooks, Sentry and Google Chat, and their ends after them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.channels.receivers import MailServer, Receiver, free_port, mailing, part, receiving
from tests.e2e.harness import SAM, Story, shown, story

MINUTE = timedelta(minutes=1)

HEAD = """
name: Shop
database: {database}
slack: {channel: "#alerts"}
people: {sam: U0SAM}
http: {bind: "127.0.0.1:0", token: a-token-for-the-api}
checks:
  backend:
    type: http
    url: {service}/health
    every: {every}
    severity: P1
alerts:
  - {name: Slow, condition: exit_code == 3, severity: P3}
  - {name: Bad, condition: exit_code == 4, severity: P2}
  - {name: Broken, condition: exit_code == 9, severity: P1}
destinations:
  email: {url: "${MAIL_URL}"}
  duty:  {url: "${HTTP}/v2/enqueue?routing_key=the-key"}
  chat:  {url: "${HTTP}/v1/spaces/SPACE/messages?key=k&token=t"}
  hook:  {webhook: "${HTTP}/hook", secret: a-secret-to-sign-with}
  bugs:  {sentry: "${DSN}"}
"""
ALL = (
    HEAD
    + """
routes:
  - {match: severity == 'critical', to: [slack, email, duty, chat, hook, bugs], escalation: page}
  - {match: severity == 'medium', to: [hook]}
  - {to: [slack]}
escalation:
  page: {steps: [{after: 5m, to: [email, duty], mention: "@sam", note: Nobody has acknowledged}]}
"""
)
FALLING = """
name: Shop
database: {database}
slack: {channel: "#alerts"}
http: {bind: "127.0.0.1:0", token: a-token-for-the-api}
jobs: {urgent: {every: 24h}, lesser: {every: 24h}}
alerts:
  - {name: Slow, condition: exit_code == 3, severity: P3}
  - {name: Bad, condition: exit_code == 4, severity: P2}
destinations:
  email: {url: "${MAIL_URL}", fallback: true}
  hook:  {webhook: "${HTTP}/hook"}
"""


@dataclass
class Outside:
    """What is beside Slack."""

    told: Story
    mail: MailServer
    http: Receiver

    def events(self, path: str = "/hook") -> list[str]:
        """What webhooks took, or the actions that PagerDuty took."""
        return [each.json.get("event") or each.json["event_action"] for each in self.http.at(path)]


@asynccontextmanager
async def outside(tmp_path: Path, config: str = ALL, *, begin: bool = True) -> AsyncIterator[Outside]:
    async with mailing() as mail, receiving() as http:
        environ = {
            "MAIL_URL": mail.url,
            "HTTP": http.url,
            "DSN": http.url.replace("http://", "http://public@") + "/7",
        }
        async with story(tmp_path, config, environ=environ, begin=begin) as told:
            yield Outside(told, mail, http)


async def test_an_alert_goes_everywhere_and_its_end_follows_where_it_is_understood(tmp_path: Path) -> None:
    async with outside(tmp_path) as out:
        told = out.told
        await told.change(503)
        message = await told.alert("backend is down")
        await told.see(lambda: out.mail.mails and len(out.http.taken) == 4)
        await told.change(503)  # a mere count
        await told.settle()
        assert len(out.http.taken) == 4

        await told.press(message, "acknowledge", SAM)
        await told.see(lambda: out.events("/v2/") == ["trigger", "acknowledge"])
        await told.change(200)
        await told.see(lambda: out.events("/v2/") == ["trigger", "acknowledge", "resolve"])
        await told.see(lambda: len(out.mail.mails) == 2)
        await told.settle()

        assert out.mail.subjects == ["[P1] backend is down", "[P1] Resolved: backend is down"]
        assert out.events() == ["firing", "acknowledged", "resolved"]
        assert out.http.at("/hook")[1].json["alert"]["acknowledged_by"] == SAM
        assert len(out.http.at("/v1/spaces/SPACE/messages")) == 2
        assert len(out.http.at("/api/7/envelope/")) == 1, "Sentry knows no end"
        assert len({each.json["dedup_key"] for each in out.http.at("/v2/")}) == 1
        keys = [each.json["key"] for each in out.http.at("/hook")]
        assert len(set(keys)) == 3


async def test_an_escalation_leaves_by_mail_and_calls_pagerduty_again(tmp_path: Path) -> None:
    async with outside(tmp_path) as out:
        await out.told.change(503)
        await out.told.see(lambda: out.mail.mails and out.events("/v2/"))
        out.told.skip(5 * MINUTE)
        await out.told.tocsin.escalating.tick()
        await out.told.see(lambda: len(out.mail.mails) == 2 and len(out.events("/v2/")) == 2)
        await out.told.restart()
        await out.told.settle()

        assert out.mail.subjects[1] == "[P1] Escalated: backend is down"
        text = part(out.mail.mails[1], "plain")
        assert "Nobody has acknowledged this for 5 min. Nobody has acknowledged" in text
        assert "sam" in text
        assert out.events("/v2/") == ["trigger", "trigger"]
        assert out.events() == ["firing"], "the step does not name the webhook"


async def test_a_step_to_a_place_that_was_not_told_yet_is_one_message(tmp_path: Path) -> None:
    config = ALL.replace("to: [slack, email, duty, chat, hook, bugs]", "to: [slack]")
    async with outside(tmp_path, config) as out:
        await out.told.change(503)
        await out.told.alert("backend is down")
        out.told.skip(5 * MINUTE)
        await out.told.tocsin.escalating.tick()
        await out.told.see(lambda: bool(out.mail.mails))
        await out.told.settle()

        assert out.mail.subjects == ["[P1] backend is down"]
        assert "Nobody has acknowledged this for 5 min" in part(out.mail.mails[0], "plain")


async def test_what_came_and_went_while_a_destination_was_down_is_not_told(tmp_path: Path) -> None:
    async with outside(tmp_path) as out:
        told = out.told
        out.http.status = 429
        await told.run("sync", "ERROR", exit_code=3)
        await told.see(lambda: bool(out.http.seen))
        await told.run("sync", "SUCCESS")
        await told.run("other", "ERROR", exit_code=3)
        await told.settle()
        out.http.status = 200
        told.skip(10 * MINUTE)
        await told.see(lambda: bool(out.events()))
        await told.settle()
        assert [(e.json["event"], e.json["alert"]["resource"]) for e in out.http.at("/hook")] == [
            ("firing", "other")
        ]


async def test_an_end_is_told_when_the_beginning_perhaps_arrived(tmp_path: Path) -> None:
    async with outside(tmp_path) as out:
        out.http.status = 500  # it may have kept what it failed to answer
        await out.told.run("sync", "ERROR", exit_code=3)
        await out.told.see(lambda: bool(out.http.seen))
        await out.told.run("sync", "SUCCESS")
        out.http.status = 200
        await out.told.see(lambda: bool(out.events()))
        await out.told.settle()
        assert out.events() == ["resolved"]
        assert out.http.seen[0].json["key"] != out.http.taken[0].json["key"]


async def test_an_outage_is_outlasted_with_the_same_key(tmp_path: Path) -> None:
    async with outside(tmp_path) as out:
        out.http.drops = True
        await out.told.run("sync", "ERROR", exit_code=3)
        await out.told.see(lambda: len(out.http.seen) >= 2)
        _, health = await out.told.health()
        assert "hook" in health["parts"]["delivery"]
        out.http.drops = False
        out.http.taken.clear()
        await out.told.see(lambda: bool(out.events()))
        await out.told.settle()
        assert len({each.json["key"] for each in out.http.seen}) == 1
        assert out.events() == ["firing"]
        assert (await out.told.health())[1]["parts"]["delivery"] == "ok"


async def test_a_mail_server_that_comes_back_gets_each_mail_once(tmp_path: Path) -> None:
    config = HEAD + "routes: [{to: [email]}]\n"
    async with outside(tmp_path, config, begin=False) as out:
        port = free_port()
        out.told.environ = {
            **out.told.environ,
            "MAIL_URL": out.mail.url.replace(str(out.mail.port), str(port)),
        }
        await out.told.start()
        for job in ("a", "b"):
            await out.told.run(job, "ERROR", exit_code=3)
        await out.told.run("worst", "ERROR", exit_code=9)
        await out.told.see(lambda: out.told.tocsin.notifier.trouble)
        assert out.told.tocsin.notifier.trouble == "email: nobody answers at its address"
        async with mailing(port) as back:
            await out.told.see(lambda: len(back.mails) == 3)
            await out.told.settle()
            assert sorted(back.subjects) == ["[P1] Broken: worst", "[P3] Slow: a", "[P3] Slow: b"]
        assert out.told.tocsin.notifier.trouble is None


async def test_a_destination_that_refuses_is_told_once_in_slack_with_its_alert(tmp_path: Path) -> None:
    async with outside(tmp_path) as out:
        told = out.told
        out.http.status = 404
        await told.run("sync", "ERROR", exit_code=3)
        message = await told.alert("Slow: sync")  # though its route names the webhook alone
        await told.run("other", "ERROR", exit_code=3)
        await told.alert("Slow: other")
        await told.settle()

        def about() -> list[str]:
            return [shown(m) for m in told.workspace.messages("alerts") if "`hook`" in shown(m)]

        (notice,) = about()
        assert "HTTP 404" in notice
        assert "tocsin.yml" in notice
        assert out.http.url not in notice, "the address is a secret"
        assert len(out.http.seen) == 2, "what is refused for good is not sent again and again"

        out.http.status = 200
        await told.restart()
        await told.see(lambda: out.events() == ["firing", "firing"])
        await told.see(lambda: len(about()) == 2)
        assert "takes what it is sent again" in about()[1]
        await told.run("sync", "SUCCESS")
        await told.becomes(message, "Resolved")
        await told.see(lambda: out.events() == ["firing", "firing", "resolved"])


async def test_a_problem_that_returns_or_gets_worse_is_told_again(tmp_path: Path) -> None:
    config = HEAD + "routes: [{to: [email]}]\n"
    async with outside(tmp_path, config) as out:
        for status in (503, 200, 503):
            await out.told.change(status)
            await out.told.settle()
        await out.told.see(lambda: len(out.mail.mails) == 3)
        assert out.mail.subjects == [
            "[P1] backend is down",
            "[P1] Resolved: backend is down",
            "[P1] Open again: backend is down",
        ]
        assert out.told.workspace.messages("alerts") == []


async def test_without_slack_the_urgent_leaves_by_the_fallback_and_says_so(tmp_path: Path) -> None:
    async with outside(tmp_path, FALLING) as out:
        told = out.told
        told.workspace.outage()
        await told.run("urgent", "ERROR", exit_code=4)
        await told.run("lesser", "ERROR", exit_code=3)
        began = told.clock()
        await told.see(lambda: told.tocsin.notifier.silent_since is not None)
        await told.tocsin.fallback.tick()
        await told.settle()
        assert out.mail.mails == [], "two minutes are not over"

        told.skip(2 * MINUTE)
        for _ in range(3):
            await told.tocsin.fallback.tick()
            await told.settle()
        assert out.mail.subjects == ["[P2] Bad: urgent"]
        (mail,) = out.mail.mails
        assert f"Slack cannot be reached since {began:%H:%M} UTC" in part(mail, "plain")
        assert f"Slack cannot be reached since {began:%H:%M} UTC" in part(mail, "html")

        told.workspace.clear_faults()
        told.skip(MINUTE)
        await told.alert("Bad: urgent")
        await told.alert("Slow: lesser")
        await told.tocsin.fallback.tick()
        await told.settle()
        assert told.tocsin.notifier.silent_since is None
        await told.run("urgent", "SUCCESS")
        await told.see(lambda: len(out.mail.mails) == 2)
        assert out.mail.subjects[1] == "[P2] Resolved: Bad: urgent"
        assert out.events() == [], "only what is marked is a fallback"


async def test_what_slack_said_first_the_fallback_leaves_unsaid(tmp_path: Path) -> None:
    async with outside(tmp_path, FALLING) as out:
        told = out.told
        told.workspace.outage()
        out.mail.refusal = "451 later"
        await told.run("urgent", "ERROR", exit_code=4)
        await told.see(lambda: told.tocsin.notifier.silent_since is not None)
        told.skip(2 * MINUTE)
        await told.tocsin.fallback.tick()
        await told.settle()
        told.workspace.clear_faults()
        told.skip(MINUTE)
        await told.alert("Bad: urgent")
        await told.settle()
        out.mail.refusal = None
        told.skip(10 * MINUTE)
        await told.settle()
        await told.run("urgent", "SUCCESS")
        await told.settle()
        assert out.mail.mails == []


async def test_without_slack_a_storm_leaves_by_the_fallback_each_once(tmp_path: Path) -> None:
    async with outside(tmp_path, FALLING) as out:
        told = out.told
        told.workspace.outage()
        for number in range(7):
            await told.run(f"job_{number}", "ERROR", exit_code=4)
        await told.see(lambda: told.tocsin.notifier.silent_since is not None)
        told.skip(2 * MINUTE)
        for _ in range(2):
            await told.tocsin.fallback.tick()
            await told.settle()
        assert sorted(out.mail.subjects) == [f"[P2] Bad: job_{number}" for number in range(7)]
        told.workspace.clear_faults()
        told.skip(MINUTE)
        await told.see(lambda: told.tocsin.notifier.silent_since is None)


async def test_without_slack_nobody_is_told_twice_who_is_told_anyway(tmp_path: Path) -> None:
    config = FALLING + "routes: [{to: [slack, email]}]\n"
    async with outside(tmp_path, config) as out:
        told = out.told
        told.workspace.outage()
        await told.run("urgent", "ERROR", exit_code=4)
        await told.see(lambda: bool(out.mail.mails) and told.tocsin.notifier.silent_since is not None)
        told.skip(3 * MINUTE)
        await told.tocsin.fallback.tick()
        await told.settle()
        assert out.mail.subjects == ["[P2] Bad: urgent"]
        told.workspace.clear_faults()
        told.skip(MINUTE)
        await told.alert("Bad: urgent")


async def test_what_quiet_hours_held_back_is_summed_up_by_mail(tmp_path: Path) -> None:
    config = (
        HEAD
        + """
routes: [{to: [email]}]
quiet_hours: {between: "08:00-10:00", below: critical, hold: true}
"""
    )
    async with outside(tmp_path, config) as out:
        await out.told.run("sync", "ERROR", exit_code=3)
        await out.told.settle()
        assert out.mail.mails == []
        out.told.skip(timedelta(hours=1, minutes=1))
        await out.told.tocsin.escalating.tick()
        await out.told.see(lambda: len(out.mail.mails) == 2)
        await out.told.settle()
        assert sorted(out.mail.subjects) == [
            "1 alert in quiet hours: 1 still open",
            "[P3] Slow: sync",
        ]
        (summary,) = [mail for mail in out.mail.mails if "quiet" in mail["Subject"]]
        assert "Slow: sync" in part(summary, "plain")
        assert "<!date" not in part(summary, "plain")


async def test_a_destination_taken_out_of_the_file_is_let_go(tmp_path: Path) -> None:
    async with outside(tmp_path) as out:
        out.http.status = 429
        await out.told.run("sync", "ERROR", exit_code=3)
        await out.told.see(lambda: bool(out.http.seen))
        out.told.config = _filled(out.told, FALLING)
        await out.told.restart()
        await out.told.settle()
        assert (await out.told.health())[1]["parts"]["delivery"] == "ok"


def _filled(told: Story, config: str) -> str:
    database = next(line for line in told.config.splitlines() if line.startswith("database: "))
    return config.replace("database: {database}", database)


@pytest.mark.parametrize("secret", ["the-key", "a-secret-to-sign-with"])
async def test_no_secret_of_a_destination_reaches_anybody(
    tmp_path: Path, secret: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with outside(tmp_path) as out:
        out.http.status = 403
        out.mail.refusal = "550 no"
        await out.told.change(503)
        await out.told.alert("backend is down")
        await out.told.settle()
        said = json.dumps(out.told.workspace.messages("alerts"))
        _, health = await out.told.health()
    assert "refuses what it is sent" in said
    captured = capfd.readouterr()
    assert secret not in said + json.dumps(health) + captured.out + captured.err
