"""What is told without being asked, as settings: digest, reports, check-ins, dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from bot.config import moments as moment
from bot.config import references as ref
from bot.config import scalars as scalar
from bot.config.section import OptionalSecret, Secret, Section


class StatusField(Section):
    """A line of the status command."""

    label: scalar.Name = Field(description="what it is called")
    field: scalar.FieldText = Field(description="the check or job and its field: `backend.response_time_ms`")
    format: scalar.NumberFormat | None = Field(
        default=None, description='how the number is shown: `"{:.1f}%"`'
    )
    change: scalar.Span | None = Field(default=None, description="also show the change since this long ago")


class Status(Section):
    """What the status command shows beside checks and jobs."""

    fields: tuple[StatusField, ...] = Field(default=(), description="lines to show")


class DigestItem(StatusField):
    """A line of the digest."""

    stat: scalar.Stats = Field(
        default=(scalar.Stat("last"),), description="sum, avg, min, max, last, count, p95; or a list of them"
    )


class DigestSection(Section):
    """A part of the digest under a title."""

    title: scalar.Name = Field(description="its title")
    items: tuple[DigestItem, ...] = Field(default=(), description="its lines")


class Chart(Section):
    """A field over time."""

    title: scalar.Name = Field(description="its title")
    field: scalar.FieldText = Field(description="the check or job and its field")
    stat: scalar.StatText = Field(
        default=scalar.Stat("avg"), description="how values of one day or hour are brought together"
    )
    over: scalar.Span = Field(default=timedelta(days=7), description="the time it shows")
    kind: Literal["line", "bar", "area", "pie"] = Field(default="line", description="how it is drawn")
    by: scalar.Name | None = Field(default=None, description="a field or tag that splits it into series")


class Digest(Section):
    """A summary once a day."""

    at: moment.TimeOfDay = Field(default=moment.parse_time("08:00"), description="when it is posted")
    period: Literal["yesterday", "today"] = Field(default="yesterday", description="the day it is about")
    sections: tuple[DigestSection, ...] = Field(default=(), description="figures under titles")
    charts: tuple[Chart, ...] = Field(default=(), description="charts below them")
    uptime: bool = Field(default=False, description="also the uptime of each check and of all together")
    patterns: scalar.Span | None = Field(
        default=None, description="also how alerts were distributed over this time"
    )
    channel: ref.Channel | None = Field(default=None, description="the Slack channel, when not the usual one")


class Heartbeat(Section):
    """A sign of life, in Slack and to the outside."""

    every: scalar.Span = Field(default=timedelta(minutes=30), description="how often")
    channel: ref.Channel | None = Field(default=None, description="the Slack channel, when not the usual one")
    ping: OptionalSecret = Field(
        default=None, description="an address asked each time, whose silence wakes somebody"
    )


class Checkin(Section):
    """A card at a time of day with the state of some checks; one of `at` and `schedule`."""

    at: moment.TimesOfDay | None = Field(default=None, description="the times of day")
    schedule: moment.Cron | None = Field(default=None, description="when, as five fields of cron")
    title: scalar.Name = Field(default="Check-in", description="its title")
    checks: ref.Checks = Field(default=(), description="the checks on it; all of them when left out")
    channel: ref.Channel | None = Field(default=None, description="the Slack channel, when not the usual one")
    mention: ref.Mention = Field(default=(), description="who is told by name when something is wrong")


class Objective(Section):
    """A line of the SLA report."""

    name: scalar.Name = Field(description="what it is called")
    field: scalar.FieldText = Field(description="the check or job and its field")
    stat: scalar.StatText = Field(
        default=scalar.Stat("avg"), description="avg, p95, or the `share of 'a value'`"
    )
    target: scalar.TargetText = Field(description='what it should be: `">= 99.9%"`, `"< 500 ms"`')


class SlaReport(Section):
    """Objectives against what was reached, once a month."""

    schedule: moment.Cron = Field(default="0 9 1 * *", description="when, as five fields of cron")
    objectives: tuple[Objective, ...] = Field(default=(), description="its lines")
    channel: ref.Channel | None = Field(default=None, description="the Slack channel, when not the usual one")


class HealthReport(Section):
    """How everything stands, with the alerts of 24 hours and 7 days."""

    every: scalar.Span = Field(default=timedelta(hours=1), description="how often")
    channel: ref.Channel | None = Field(default=None, description="the Slack channel, when not the usual one")


class PatternReport(Section):
    """When and about what alerts came."""

    schedule: moment.Cron = Field(default="0 9 * * 1", description="when, as five fields of cron")
    over: scalar.Span = Field(default=timedelta(days=7), description="the time it is about")
    channel: ref.Channel | None = Field(default=None, description="the Slack channel, when not the usual one")


class Reports(Section):
    """Reports posted by themselves."""

    health: HealthReport | None = Field(default=None, description="how everything stands")
    sla: SlaReport | None = Field(default=None, description="objectives against what was reached")
    patterns: PatternReport | None = Field(default=None, description="when and about what alerts came")


class Checklist(Section):
    """Tasks posted to Slack and ticked off there; one of `at` and `schedule`."""

    at: moment.TimesOfDay | None = Field(default=None, description="the times of day")
    schedule: moment.Cron | None = Field(default=None, description="when, as five fields of cron")
    items: ref.Texts = Field(description="the tasks", min_length=1, max_length=50)
    title: scalar.Name | None = Field(default=None, description="its title; its name unless set")
    channel: ref.Channel | None = Field(default=None, description="the Slack channel, when not the usual one")
    mention: ref.Mention = Field(default=(), description="who is told by name")


def _tags(value: Any) -> Any:
    """`[competitor]` takes the tag from the record's field of that name; `{location: global}` is constant."""
    return (
        dict.fromkeys(value)
        if isinstance(value, list) and all(isinstance(tag, str) for tag in value)
        else value
    )


class Measurement(Section):
    """Events of a job as points of a time series."""

    from_: scalar.Name = Field(alias="from", description="the job")
    tags: Annotated[Mapping[str, str | None], BeforeValidator(_tags)] = Field(
        default={}, description="`[a]` takes field a as a tag; `{a: text}` is the same for all"
    )
    fields: ref.Texts = Field(default=(), description="the fields to send; every number when left out")


class InfluxDB(Section):
    """Where measurements are sent. An empty address switches it off."""

    url: Secret = Field(description="its address")
    database: scalar.Name = Field(default="tocsin", description="the database or bucket")
    organization: scalar.Name | None = Field(default=None, description="the organization, for version 2")
    token: OptionalSecret = Field(default=None, description="the token")


class Metrics(Section):
    """Figures for other tools."""

    prometheus: bool = Field(default=True, description="serve /metrics")
    influxdb: InfluxDB | None = Field(default=None, description="send to InfluxDB")
    measurements: Mapping[scalar.Name, Measurement] = Field(
        default={}, description="events of jobs, by measurement"
    )


class Panel(Section):
    """A part of the dashboard."""

    title: scalar.Name = Field(description="its title")
    kind: Literal["card", "line", "bar", "area", "pie", "table", "histogram", "states", "alerts"] = Field(
        default="card", description="how it is shown"
    )
    field: scalar.FieldText | None = Field(default=None, description="the check or job and its field")
    stat: scalar.StatText | None = Field(default=None, description="how values are brought together")
    over: scalar.Span | None = Field(default=None, description="the time it shows")
    by: scalar.Name | None = Field(default=None, description="a field or tag that splits it")
    target: scalar.TargetText | None = Field(default=None, description='what it should be: `">95"`')
    bands: tuple[float, ...] = Field(
        default=(), description="where its colour changes: `[200, 500]`", max_length=2
    )
    format: scalar.NumberFormat | None = Field(default=None, description="how the number is shown")
    checks: ref.Checks = Field(
        default=(), description="the checks of a panel of kind states; all when left out"
    )


class Dashboard(Section):
    """The web page."""

    refresh: scalar.Span = Field(
        default=timedelta(seconds=30), description="how often it is brought up to date"
    )
    panels: tuple[Panel, ...] = Field(default=(), description="its panels, above checks, jobs and alerts")


class Retention(Section):
    """How long things are kept."""

    observations: scalar.Span = Field(default=timedelta(days=7), description="each result of a check")
    runs: scalar.Span = Field(default=timedelta(days=90), description="runs of jobs")
    outputs: scalar.Span = Field(default=timedelta(days=7), description="what runs printed")
    rollups: scalar.Span = Field(
        default=timedelta(days=400), description="hourly figures of checks and jobs, for longer looks back"
    )
    alerts: scalar.Span = Field(
        default=timedelta(days=400), description="alerts that ended, with their history"
    )
