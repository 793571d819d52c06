"""The teams' own files send their alerts where they say, by the addresses in the environment alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.channels.receivers import MailServer, Receiver, mailing, receiving
from tests.e2e.harness import TOKEN, Story, story

EXAMPLES = Path(__file__).parents[2] / "examples"
TITLE = "Checkout is broken"


@dataclass
class Team:
    told: Story
    mail: MailServer
    http: Receiver

    async def trouble(self, severity: str, category: str = "application") -> None:
        """Raise an alert from the team's code."""
        body = {"alert_type": "trouble", "title": TITLE, "severity": severity, "category": category}
        status, answer = await self.told.post("/api/v1/alerts", body)
        assert status < 300, answer

    def heard(self) -> set[str]:
        """Which receivers heard of the trouble."""
        found = {each.path.split("/")[1] for each in self.http.seen if b"Checkout" in each.body}
        return found | ({"mail"} if any(TITLE in subject for subject in self.mail.subjects) else set())


@asynccontextmanager
async def team(tmp_path: Path, name: str, channel: str) -> AsyncIterator[Team]:
    config = (EXAMPLES / f"{name}.yml").read_text()
    own = f'http: {{bind: "127.0.0.1:0", token: {TOKEN}}}\n'
    kept = "http:\n  bind: 127.0.0.1:8787\n  token: ${TOCSIN_TOKEN}\n"
    config = config.replace(kept, own) if kept in config else own + config
    async with mailing() as mail, receiving() as http:
        http.status = 200
        environ = {
            "DATABASE_URL": f"sqlite:///{tmp_path}/team.db",
            "APP_DATABASE_URL": f"sqlite:///{tmp_path}/app.db",
            "MAIL_URL": mail.url,
            "PAGERDUTY_URL": f"{http.url}/v2/enqueue?routing_key=k",
            "SENTRY_DSN": http.url.replace("http://", "http://public@") + "/7",
            "GCHAT_URL": f"{http.url}/v1/spaces/SPACE/messages?key=k&token=t",
            "WEBHOOK_URL": f"{http.url}/hook",
            "SMS_URL": f"vonage://{'a' * 8}:{'b' * 16}@18001234567/18885551234",
            "DISCORD_URL": f"discord://{'1' * 18}/{'t' * 40}",
        }
        async with story(tmp_path, config, environ=environ, begin=False) as told:
            told.workspace.add_channel(channel)
            await told.start()
            yield Team(told, mail, http)


@pytest.mark.parametrize(
    ("name", "channel", "severity", "category", "expected"),
    [
        ("keto-meals", "ops", "critical", "application", {"v2", "api"}),
        ("keto-meals", "ops", "medium", "application", {"api"}),
        ("keto-meals", "ops", "high", "application", set()),
        ("alertacall", "data-pipelines", "critical", "application", {"v1", "mail"}),
        ("alertacall", "data-pipelines", "medium", "application", {"v1"}),
        ("homeverse", "production", "high", "application", {"mail"}),
        ("homeverse", "production", "medium", "application", {"mail"}),
        ("homeverse", "production", "low", "application", set()),
        ("myhibachi", "alerts", "critical", "application", {"mail", "sms", "hook"}),
        ("myhibachi", "alerts", "high", "security", {"mail", "discord"}),
        ("myhibachi", "alerts", "high", "application", set()),
    ],
)
async def test_each_severity_arrives_where_the_team_wants_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    channel: str,
    severity: str,
    category: str,
    expected: set[str],
) -> None:
    from apprise.plugins.discord import NotifyDiscord
    from apprise.plugins.vonage import NotifyVonage

    async with team(tmp_path, name, channel) as found:
        monkeypatch.setattr(NotifyVonage, "notify_url", f"{found.http.url}/sms")
        monkeypatch.setattr(NotifyDiscord, "notify_url", f"{found.http.url}/discord")
        await found.trouble(severity, category)
        if not (name == "homeverse" and severity in ("medium", "low")):
            await found.told.alert(TITLE, channel)
        await found.told.see(lambda: found.heard() >= expected)
        await found.told.settle()
        assert found.heard() == expected


async def test_keto_meals_triggers_and_resolves_one_incident(tmp_path: Path) -> None:
    async with team(tmp_path, "keto-meals", "ops") as found:
        await found.trouble("critical")
        message = await found.told.alert(TITLE, "ops")

        def events() -> list[str]:
            return [e.json["event_action"] for e in found.http.at("/v2/") if key in json.dumps(e.json)]

        await found.told.see(lambda: any(b"Checkout" in e.body for e in found.http.at("/v2/")))
        key = next(e.json["dedup_key"] for e in found.http.at("/v2/") if b"Checkout" in e.body)
        await found.told.press(message, "acknowledge")
        await found.told.see(lambda: events() == ["trigger", "acknowledge"])
        await found.told.press(message, "resolve")
        await found.told.see(lambda: events() == ["trigger", "acknowledge", "resolve"])
