"""What follows a problem, as settings: rules, routes, destinations, escalation, silences, remedies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from bot.config import moments as moment
from bot.config import references as ref
from bot.config import scalars as scalar
from bot.config.addresses import AddressMistake, Way, way_of
from bot.config.probing import Alerting
from bot.config.section import Address, OptionalSecret, Secret, Section
from bot.domain.template import placeholders
from checks.options import Duration


class RuleSettings(Alerting):
    """A condition over what was observed that makes an alert; the first that matches decides."""

    name: scalar.Name = Field(description="what the alert is called")
    condition: ref.Condition = Field(description="a CEL condition over the observation's fields")
    resource: scalar.Template | None = Field(
        default=None, description="what the alert is about; the observation's own unless set"
    )
    for_: Duration = Field(
        default=timedelta(0), alias="for", description="how long it must hold before it alerts"
    )
    dedupe: Duration = Field(
        default=timedelta(hours=1), description="a problem that returns within this time is the same alert"
    )
    expire: Duration | None = Field(
        default=None, description="an alert nobody hears of for this long is closed"
    )
    tags: ref.Texts = Field(default=(), description="words to find and route it by")
    continue_: bool = Field(
        default=False, alias="continue", description="go on to the rules after it when it matches"
    )


class Destination(Section):
    """Another place alerts are told: one of `url`, `sentry` and `webhook`. An empty one is off."""

    url: Address = Field(
        default=None,
        description="an Apprise address: mailto://, discord://, pagerduty://, gchat://, workflows:// for Teams …",
    )
    sentry: Address = Field(default=None, description="a Sentry DSN")
    webhook: Address = Field(default=None, description="an address that is sent each alert as JSON")
    headers: Mapping[str, Secret] = Field(default={}, description="headers of the webhook's requests")
    secret: OptionalSecret = Field(default=None, description="signs the webhook's requests")
    fallback: bool = Field(default=False, description="told when Slack cannot be reached")

    @field_validator("url", "sentry", "webhook")
    @classmethod
    def _leads_somewhere(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None and value.get_secret_value():
            try:
                way_of(info.field_name or "", value.get_secret_value())
            except AddressMistake as mistake:
                raise ref.refuse(mistake.message, mistake.suggestion, discreet=True) from None
        return value

    @property
    def way(self) -> Way:
        """What its address leads to; only for one that is enabled."""
        return way_of(self.kind, self.address)

    @property
    def kind(self) -> Literal["url", "sentry", "webhook"]:
        """Which of the three addresses it has."""
        return "url" if self.url is not None else "sentry" if self.sentry is not None else "webhook"

    @property
    def address(self) -> str:
        """The address itself, a secret; empty when switched off."""
        found = self.url or self.sentry or self.webhook
        return found.get_secret_value() if found else ""

    @property
    def enabled(self) -> bool:
        """Whether it has an address to reach."""
        return bool(self.address)


class Route(Section):
    """Which alerts go where; the first that matches decides."""

    match: ref.Condition | None = Field(
        default=None, description="a CEL condition over the alert; every alert when left out"
    )
    to: ref.Destinations = Field(
        description='destinations by name, `slack`, `digest` or a `"#channel"`', min_length=1
    )
    escalation: ref.Escalation | None = Field(
        default=None, description="what happens when nobody acknowledges"
    )
    mention: ref.Mention = Field(default=(), description="who is told by name as well")
    continue_: bool = Field(
        default=False, alias="continue", description="go on to the routes after it when it matches"
    )


class EscalationStep(Section):
    """One step of an escalation."""

    after: Duration = Field(description="how long after the alert began, or needed somebody again")
    to: ref.Destinations = Field(default=("slack",), description="where it is told", min_length=1)
    mention: ref.Mention = Field(default=(), description="who is told by name")
    note: str | None = Field(default=None, description="a sentence that goes with it")


class EscalationPolicy(Section):
    """What happens while nobody acknowledges an alert."""

    since: Literal["unacknowledged", "first_seen"] = Field(
        default="unacknowledged",
        description="what the times count from: `unacknowledged` is ended by an acknowledgement, "
        "`first_seen` only by the end of the alert",
    )
    respond_within: Duration | None = Field(default=None, description="how soon somebody should acknowledge")
    steps: tuple[EscalationStep, ...] = Field(default=(), description="what happens, in order")


class Silence(Section):
    """A window in which matching alerts notify nobody; one of `schedule`, `at` and `from`."""

    name: scalar.Name = Field(description="what it is called")
    match: ref.Condition = Field(description="a CEL condition over the alert")
    timezone: moment.Zone | None = Field(
        default=None, description="the zone of its times; the file's unless set"
    )
    schedule: moment.Cron | None = Field(
        default=None, description="when it begins, again and again, as five fields of cron"
    )
    at: moment.TimesOfDay | None = Field(default=None, description="the times of day at which it begins")
    from_: ref.Instant | None = Field(default=None, alias="from", description="when it begins, once")
    until: ref.Instant | None = Field(default=None, description="when it ends, once")
    for_: scalar.Span | None = Field(default=None, alias="for", description="how long it lasts")
    reason: str | None = Field(default=None, description="why, for those who wonder")

    @field_validator("until")
    @classmethod
    def _ends_after_it_begins(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        begins = info.data.get("from_")
        if value is not None and begins is not None and value <= begins:
            raise ref.refuse("it ends before it begins", "write a time after from:")
        return value


class Inhibition(Section):
    """Which open alerts explain which others, so that these tell nobody meanwhile."""

    when: ref.Condition = Field(description="a CEL condition over the alert that explains others")
    hold: ref.Condition = Field(description="a CEL condition over the alerts that it explains")
    equal: ref.Texts = Field(
        default=(), description="names that must have the same value in both, such as `resource`"
    )


class Request(Section):
    """An HTTP request that a remedy sends."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(default="POST", description="its method")
    url: str = Field(description="its address; `{field}` is filled in", min_length=1, repr=False)
    headers: Mapping[str, Secret] = Field(default={}, description="its headers")
    body: str | None = Field(default=None, description="its body as text", repr=False)
    json_: Any = Field(default=None, alias="json", description="its body as JSON", repr=False)


def _command(value: Any) -> Any:
    if isinstance(value, str):
        raise ref.refuse(
            "a command is a list, so that no shell reads it", 'write [systemctl, restart, "{resource}"]'
        )
    if isinstance(value, list) and value and isinstance(value[0], str) and placeholders(value[0]):
        raise ref.refuse("the program itself is filled in from the alert", "write its name or path")
    return value


class Remedy(Section):
    """Something that may end a problem by itself; one of `command` and `request`."""

    when: ref.Condition = Field(description="a CEL condition over the alert")
    command: Annotated[tuple[scalar.Template, ...] | None, BeforeValidator(_command)] = Field(
        default=None,
        description="a program and its arguments; `{field}` is filled in",
        repr=False,
        min_length=1,
    )
    request: Request | None = Field(default=None, description="an HTTP request")
    verify_after: Duration = Field(
        default=timedelta(seconds=30), description="how long until the check is run again"
    )
    attempts: int = Field(default=1, description="how often it may be tried within `per`", ge=1, le=100)
    per: scalar.Span = Field(default=timedelta(hours=1), description="the time in which attempts count")
    timeout: scalar.Span = Field(default=timedelta(minutes=1), description="when it is given up")
    approve: bool = Field(default=False, description="wait for somebody to press the button in Slack")
    dry_run: bool = Field(default=False, description="only say in the thread what would be done")
