"""tocsin.yml as frozen settings, attributes named as its keys; checked and complete, defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr, model_validator

from bot.config import moments as moment
from bot.config import references as ref
from bot.config import scalars as scalar
from bot.config.acting import Destination, EscalationPolicy, Inhibition, Remedy, Route, RuleSettings, Silence
from bot.config.document import Document
from bot.config.duty import OnCall, QuietHoursSettings
from bot.config.inheritance import filled_in
from bot.config.probing import CheckSettings, Defaults, JobSettings, RunLog
from bot.config.section import OptionalSecret, Secret, Section
from bot.config.telling import (
    Checkin,
    Checklist,
    Dashboard,
    Digest,
    Heartbeat,
    Metrics,
    Reports,
    Retention,
    Status,
)
from bot.config.variables import masked_values

# Words Slack keeps for commands of its own; a manifest that lists one is rejected whole.
_RESERVED = (
    "status me away dnd shrug remind msg feed who collapse expand leave join open search topic mute "
    "pro shortcuts"
)
RESERVED_COMMANDS = frozenset(_RESERVED.split())


def _prefix(value: str) -> str:
    word = value.strip().removeprefix("/")
    if word in RESERVED_COMMANDS:
        raise ref.refuse(f"Slack keeps /{word} for itself", "choose another word, such as tocsin")
    if (
        not word
        or len(word) > 20
        or not all(c.islower() or c.isdigit() or c in "-_" for c in word)
        or not word.isascii()
    ):
        raise ref.refuse(
            f'"{value[:40]}" cannot be a Slack command', "write up to 20 lower-case letters, digits, - and _"
        )
    return word


def _token(prefix: str, other: str, what: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text is None or text == "":
            raise ref.refuse(f"the {what} token is missing", f"it begins with {prefix}", discreet=True)
        if isinstance(text, str) and text.startswith(other):
            raise ref.refuse(
                f"this is the other token: the {what} token begins with {prefix}",
                "swap the two",
                discreet=True,
            )
        if not isinstance(text, str) or not text.startswith(prefix):
            raise ref.refuse(f"this is not the {what} token", f"it begins with {prefix}", discreet=True)
        return value

    return BeforeValidator(check)


class Slack(Section):
    """The workspace. The tokens may come from SLACK_BOT_TOKEN and SLACK_APP_TOKEN instead."""

    bot_token: Annotated[Secret, _token("xoxb-", "xapp-", "bot")] = Field(
        description="the bot token, `xoxb-…`"
    )
    app_token: Annotated[Secret, _token("xapp-", "xoxb-", "app")] = Field(
        description="the app token, `xapp-…`"
    )
    channel: ref.Channel = Field(
        default="#alerts", description="where alerts are told; SLACK_CHANNEL unless set"
    )
    command_prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        default="tocsin", description="the first word of its commands: /tocsin, /tocsin-status, /tocsin-logs"
    )
    api_url: str = Field(
        default="https://slack.com/api/", description="Slack's API; SLACK_API_URL unless set"
    )
    team: scalar.Name | None = Field(
        default=None, description="the id of the home team; others' clicks are refused"
    )


PersonIds = Annotated[tuple[ref.Person, ...], BeforeValidator(ref.as_list), Field(min_length=1)]


class Permissions(Section):
    """Who may do what; names of `people`, or Slack ids. Left out: everyone in the channel."""

    acknowledge: ref.People | None = Field(default=None, description="acknowledge and take it back")
    resolve: ref.People | None = Field(default=None, description="resolve")
    silence: ref.People | None = Field(default=None, description="silence, and end silences")
    remedy: ref.People | None = Field(default=None, description="start a remedy")
    configuration: ref.People | None = Field(
        default=None, description="see what people did; change rules and thresholds at run time"
    )
    incident: ref.People | None = Field(default=None, description="open and close an incident")
    drill: ref.People | None = Field(default=None, description="send test alerts with `/tocsin drill`")


def _open_or_token(value: Any) -> Any:
    return {True: "open", False: "token"}[value] if isinstance(value, bool) else value


class Http(Section):
    """The web server: pings, webhooks, API, dashboard."""

    bind: scalar.Bind = Field(
        default=scalar.BindAddress("127.0.0.1", 8787), description="where it listens, `host:port`"
    )
    url: str | None = Field(default=None, description="the address people reach it at, for links")
    token: OptionalSecret = Field(default=None, description="the bearer token of the API")
    ping_key: OptionalSecret = Field(default=None, description="the key of ping addresses by name")
    dashboard: Annotated[Literal["open", "token"], BeforeValidator(_open_or_token)] = Field(
        default="token",
        description="`open` shows the dashboard to everyone who reaches it; `token` asks for the token",
    )
    body_limit: scalar.Size = Field(default=1024**2, description="the largest body taken", ge=1024)


def _off(value: Any) -> Any:
    return None if value is False else {} if value is True else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class Settings(Section):
    """The whole file."""

    name: scalar.Name = Field(default="Tocsin", description="what is watched, as its messages call it")
    timezone: moment.Zone = Field(
        default=moment.parse_zone("UTC"), description="the zone of every time of day"
    )
    database: str = Field(
        default="sqlite:///tocsin.db",
        description="where state is kept: SQLite or PostgreSQL",
        repr=False,
        min_length=1,
    )
    slack: Slack = Field(description="the Slack workspace")
    people: Mapping[scalar.Name, PersonIds] = Field(
        default={}, description="names for Slack users and user groups, alone or in lists"
    )
    permissions: Permissions = Field(default=Permissions(), description="who may do what")
    http: Http = Field(default=Http(), description="the web server")
    defaults: Defaults = Field(
        default=Defaults(), description="what checks, jobs and rules take when they do not say"
    )
    checks: Mapping[scalar.Name, CheckSettings] = Field(default={}, description="what is watched, by name")
    jobs: Mapping[scalar.Name, JobSettings] = Field(
        default={}, description="scheduled work elsewhere, by name; `defaults` holds for all"
    )
    run_logs: tuple[RunLog, ...] = Field(default=(), description="where runs of jobs are read from")
    alerts: tuple[RuleSettings, ...] = Field(default=(), description="rules; the first that matches decides")
    destinations: Mapping[scalar.Name, Destination] = Field(
        default={}, description="places beside Slack, by name"
    )
    routes: tuple[Route, ...] = Field(
        default=(), description="which alerts go where; all to Slack when left out"
    )
    escalation: Mapping[scalar.Name, EscalationPolicy] = Field(
        default={}, description="what happens when nobody acknowledges, by name"
    )
    oncall: Mapping[scalar.Name, OnCall] = Field(
        default={}, description="people who take turns, by the name that mentions use"
    )
    quiet_hours: Annotated[tuple[QuietHoursSettings, ...], BeforeValidator(_listed)] = Field(
        default=(), description="hours in which lesser alerts name nobody, once or in a list"
    )
    silences: tuple[Silence, ...] = Field(default=(), description="windows in which nobody is told")
    inhibit: tuple[Inhibition, ...] = Field(
        default=(), description="which open alerts explain which others, so that these tell nobody"
    )
    remedies: Mapping[scalar.Name, Remedy] = Field(
        default={}, description="what may end a problem by itself, by name"
    )
    status: Status = Field(default=Status(), description="what the status command shows")
    digest: Annotated[Digest | None, BeforeValidator(_off)] = Field(
        default=None, description="a summary once a day; none when left out"
    )
    heartbeat: Annotated[Heartbeat | None, BeforeValidator(_off)] = Field(
        default=None, description="a sign of life; none when left out or false"
    )
    checkins: tuple[Checkin, ...] = Field(default=(), description="cards at times of the day")
    reports: Reports = Field(default=Reports(), description="reports posted by themselves")
    checklists: Mapping[scalar.Name, Checklist] = Field(
        default={}, description="tasks to tick off in Slack, by name"
    )
    metrics: Metrics = Field(default=Metrics(), description="figures for other tools")
    dashboard: Dashboard = Field(default=Dashboard(), description="the web page")
    retention: Retention = Field(default=Retention(), description="how long things are kept")

    _document: Document = PrivateAttr(default_factory=lambda: Document("tocsin.yml"))

    def __repr__(self) -> str:
        return f"Settings(name={self.name!r}, checks={len(self.checks)}, jobs={len(self.jobs)})"

    __str__ = __repr__

    @property
    def document(self) -> Document:
        """The file behind the settings, for places and secrets."""
        return self._document

    @model_validator(mode="after")
    def _fill_in(self) -> Settings:
        for name, value in filled_in(self.defaults, self.checks, self.jobs, self.alerts).items():
            object.__setattr__(self, name, value)
        return self

    def public(self) -> dict[str, Any]:
        """The settings as plain values for people to read, secrets masked."""
        masked: dict[str, Any] = masked_values(self.model_dump(mode="json"), self._document.secrets)
        return masked
