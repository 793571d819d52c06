"""What is watched, as settings: checks, jobs and run logs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SerializeAsAny,
    ValidationInfo,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from bot.config import moments as moment
from bot.config import references as ref
from bot.config import scalars as scalar
from bot.config.section import Section
from bot.config.suggest import near_or_choices
from bot.domain.severity import Severity, parse_severity
from checks._database import check_database_url
from checks.kinds import kinds, options_of
from checks.options import CheckOptions, Duration

_STATES = ("critical", "warning", "unknown", "pending")
_DIRECTIONS: tuple[Literal["above", "below"], ...] = ("above", "below")


def _thresholds(value: Any) -> tuple[scalar.Threshold, ...]:
    """A number, `"< 10"`, `{below: 10}`, `{P1: 95, P2: 80}` or `{below: {P1: 5}}`."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, dict):
        limit, direction = scalar.parse_limit_value(value)
        return (scalar.Threshold(limit, direction),)
    if not value:
        raise ValueError("the threshold is empty; write a number such as 80, or {P2: 80}")
    found, problems = [], []
    for key, item in value.items():
        try:
            found += list(_threshold(key, item))
        except ValueError as error:
            problems.append(_problem(error, key))
    if problems:
        raise ValidationError.from_exception_data("threshold", problems)
    severities = [(each.severity, each.direction) for each in found]
    if len(set(severities)) < len(severities):
        raise ValueError("a severity is named twice; keep one limit for each")
    return tuple(found)


def _threshold(key: str, value: Any) -> tuple[scalar.Threshold, ...]:
    for direction in _DIRECTIONS:
        if key == direction:
            inner = _thresholds(value)
            return tuple(scalar.Threshold(each.limit, direction, each.severity) for each in inner)
    severity = _severity(key)
    limit, side = scalar.parse_limit_value(value)
    return (scalar.Threshold(limit, side, severity),)


def _severity(word: str) -> Severity:
    try:
        return parse_severity(word)
    except ValueError:
        raise ref.refuse(
            f'"{word[:40]}" is neither a severity nor a direction', "write P1 to P4, above or below"
        ) from None


def _problem(error: ValueError, key: str) -> InitErrorDetails:
    if isinstance(error, PydanticCustomError):
        return InitErrorDetails(type=error, loc=(key,), input=None)
    return InitErrorDetails(type=ref.refuse(*_halves(str(error))), loc=(key,), input=None)


def _halves(text: str) -> tuple[str, str | None]:
    message, _, suggestion = text.partition("; ")
    return message, suggestion or None


def _show_thresholds(found: tuple[scalar.Threshold, ...]) -> list[dict[str, Any]]:
    return [
        {each.direction: each.limit, **({"severity": each.severity.word} if each.severity else {})}
        for each in found
    ]


Thresholds = Annotated[
    tuple[scalar.Threshold, ...],
    BeforeValidator(_thresholds),
    PlainSerializer(_show_thresholds, return_type=list[dict[str, Any]]),
]


def _kind(value: Any) -> str:
    word = value if isinstance(value, str) else ""
    if word not in kinds():
        raise ref.refuse(f'"{str(value)[:40]}" is not a kind of check', near_or_choices(word, kinds()))
    return word


def _options(value: Any, info: ValidationInfo) -> CheckOptions:
    """The kind's own settings; judged by the kind's model, whose mistakes keep their places."""
    if isinstance(value, CheckOptions):
        return value
    kind = info.data.get("type")
    if kind is None:  # its own mistake is told; what is left cannot be judged
        raise PydanticCustomError("unjudged", "the kind is not known")
    return options_of(kind).model_validate(value)


def _state(word: str) -> str:
    if word not in _STATES:
        raise ref.refuse(f'"{word[:40]}" is not a state a condition can give', near_or_choices(word, _STATES))
    return word


def _anomaly(value: Any) -> Any:
    """`true`, `false` or a list of fields."""
    if isinstance(value, bool):
        return value
    names = list(value) if isinstance(value, list | tuple) else []
    if not names or not all(isinstance(name, str) and name for name in names):
        shown = str(value)[:40]
        raise ref.refuse(
            f'"{shown}" stands where true, false or a list of fields belongs', "write true or [field]"
        )
    return tuple(names)


Anomaly = Annotated[bool | tuple[str, ...], BeforeValidator(_anomaly)]
StateWord = Annotated[str, AfterValidator(_state)]


def common_keys() -> tuple[str, ...]:
    """The keys every kind of check takes, as written in the file."""
    return tuple(info.alias or name for name, info in CheckSettings.model_fields.items() if name != "options")


class Alerting(Section):
    """What an alert carries, whether a check, a job or a rule makes it."""

    severity: scalar.SeverityWord | None = Field(
        default=None, description="how urgent its alerts are; else judged from what was found"
    )
    category: scalar.Name | None = Field(
        default=None, description="a word alerts are routed and sorted by, such as database or security"
    )
    title: scalar.Template | None = Field(
        default=None, description="the alert's headline; `{field}` is filled in"
    )
    message: scalar.Template | None = Field(
        default=None, description="the alert's text; `{field}` and `{field:.1f}` are filled in"
    )
    mention: ref.Mention = Field(
        default=(), description='who is told by name: `"@oncall @ethan"`, of `people`, or `here`'
    )
    channel: ref.Channel | None = Field(default=None, description="the Slack channel, when not the usual one")
    runbook: str | None = Field(default=None, description="a link to what to do about it")
    recommendations: ref.Texts = Field(default=(), description="what to try, instead of Tocsin's own advice")


class Flapping(Section):
    """When a check goes back and forth too often to be told each time: shares of its last 21 looks that changed."""

    start: scalar.Share = Field(default=0.30, description="it begins to flap at this share")
    end: scalar.Share = Field(default=0.25, description="it has stopped under this share")

    @model_validator(mode="after")
    def _end_is_lower(self) -> Flapping:
        if self.end > self.start:
            raise ref.refuse("it would end before it begins", "let end be at most start, such as 25% and 30%")
        return self


def _off(value: Any) -> Any:
    return None if value is False else {} if value is True else value


FlappingOrOff = Annotated[Flapping | None, BeforeValidator(_off)]


class CheckSettings(Alerting):
    """One thing that is watched. The keys of its kind stand beside these."""

    type: Annotated[str, BeforeValidator(_kind)] = Field(description="the kind of check")
    every: scalar.Span | None = Field(
        default=None, description="how often it runs; one of `every`, `cron` and `at`"
    )
    cron: moment.Cron | None = Field(default=None, description="when it runs, as five fields of cron")
    at: moment.TimesOfDay | None = Field(default=None, description="the times of day at which it runs")
    timeout: scalar.Span = Field(default=timedelta(seconds=30), description="after this long it has failed")
    between: moment.Window | None = Field(
        default=None, description="the part of the day in which it counts; outside it is pending"
    )
    due: moment.TimeOfDay | None = Field(
        default=None, description="from when on it counts; before that it is pending"
    )
    failures: int = Field(default=1, description="how many bad results in a row make an alert", ge=1, le=1000)
    recoveries: int = Field(default=1, description="how many good results in a row end it", ge=1, le=1000)
    resource: scalar.Name | None = Field(
        default=None, description="what it is about, such as a host; the check's name unless set"
    )
    tags: ref.Texts = Field(default=(), description="words to find and route it by")
    condition: ref.Condition | None = Field(
        default=None, description="a CEL condition over its fields that makes an alert"
    )
    states: Mapping[StateWord, ref.Condition] = Field(
        default={}, description="a CEL condition for each state; the worst that holds is taken"
    )
    thresholds: Mapping[str, Thresholds] = Field(
        default={}, description='a limit for each field: `80`, `{P2: 80, P1: 95}`, `{below: 10}` or `"< 10"`'
    )
    depends_on: ref.Checks = Field(
        default=(), description="checks whose failure explains this one's, so that only theirs is told"
    )
    dedupe: Duration = Field(
        default=timedelta(hours=1), description="a problem that returns within this time is the same alert"
    )
    expire: Duration | None = Field(
        default=None, description="an alert nobody hears of for this long is closed"
    )
    for_: Duration = Field(
        default=timedelta(0), alias="for", description="how long it must be bad before it alerts"
    )
    anomaly: Anomaly = Field(
        default=False, description="also alert when a figure leaves its usual range: `true`, or which fields"
    )
    forecast: scalar.Span | None = Field(
        default=None, description="also alert when a field with a threshold will reach it within this time"
    )
    flapping: FlappingOrOff = Field(
        default=Flapping(), description="one message while it goes back and forth; `false` tells each time"
    )
    report: bool = Field(default=False, description="post every result of a group as a report of many lines")
    checks: Mapping[scalar.Name, CheckSettings] = Field(
        default={}, description="the members, for a check of type `group`"
    )
    options: Annotated[SerializeAsAny[CheckOptions], BeforeValidator(_options)] = Field(
        repr=False, description="the keys of its kind"
    )

    @model_validator(mode="before")
    @classmethod
    def _set_options_apart(cls, value: Any) -> Any:
        value = {} if value is None else value
        if not isinstance(value, dict) or isinstance(value.get("options"), CheckOptions):
            return value
        common = set(common_keys())
        own = {key: item for key, item in value.items() if key in common}
        kind = value.get("type")
        declared = set(options_of(kind).model_fields) if isinstance(kind, str) and kind in kinds() else set()
        declared -= {"type"}  # always the kind itself
        # Any other key that both know, such as a time limit, reaches both.
        return own | {
            "options": {key: item for key, item in value.items() if key not in common or key in declared}
        }


class Sla(Section):
    """A run's duration as a share of its budget."""

    warning: scalar.Share = Field(default=0.8, description="the share of the budget that warns")
    critical: scalar.Share = Field(default=1.0, description="the share of the budget that is critical")
    runs: int = Field(default=3, description="warnings in this many runs in a row escalate", ge=1, le=1000)


class SuccessRate(Section):
    """How many of a job's runs succeed."""

    below: scalar.Share = Field(default=0.95, description="a smaller share of successful runs is critical")
    over: Duration = Field(default=timedelta(hours=24), description="the time looked back on")


class Throughput(Section):
    """How much a job does in an hour."""

    field: scalar.Name = Field(description="the field that counts what a run did")
    below: scalar.LimitText = Field(
        default=scalar.Limit(0.5, True), description="less in an hour warns: `50% of baseline`, or a number"
    )


class JobSettings(Alerting):
    """Somebody's scheduled work outside Tocsin, heard of through pings, runs or run logs."""

    schedule: moment.Cron | None = Field(
        default=None, description="when it should start, as five fields of cron"
    )
    every: scalar.Span | None = Field(
        default=None, description="how often it should be heard of, when it has no schedule"
    )
    timezone: moment.Zone | None = Field(
        default=None, description="the zone of its schedule; the file's unless set"
    )
    grace: Duration = Field(
        default=timedelta(minutes=5), description="how late a start may be before it is told"
    )
    timeout: scalar.Span | None = Field(default=None, description="a run longer than this has hung")
    budget: scalar.Span | None = Field(default=None, description="how long a run may take, for `sla`")
    min_duration: Duration | None = Field(
        default=None, description="a success sooner than this is suspicious and warns"
    )
    sla: Sla = Field(default=Sla(), description="when a run's duration against its budget warns")
    success_rate: SuccessRate | None = Field(default=None, description="the share of runs that must succeed")
    consecutive_failures: int | None = Field(
        default=None, description="this many failures in a row are critical", ge=1, le=1000
    )
    throughput: Throughput | None = Field(default=None, description="how much must be done in an hour")
    ping: UUID | None = Field(default=None, description="the id of its own ping address, a secret")
    resource: scalar.Name | None = Field(
        default=None, description="what it is about; the job's name unless set"
    )
    tags: ref.Texts = Field(default=(), description="words to find and route it by")
    dedupe: Duration = Field(
        default=timedelta(hours=1), description="a problem that returns within this time is the same alert"
    )
    expire: Duration | None = Field(
        default=None, description="an alert nobody hears of for this long is closed"
    )
    anomaly: Anomaly = Field(
        default=False, description="also alert when a figure leaves its usual range: `true`, or which fields"
    )
    forecast: scalar.Span | None = Field(
        default=None, description="also alert when its runs will take longer than the budget within this time"
    )


def _database_address(text: str) -> str:
    check_database_url(text)
    return text


class RunLog(Section):
    """Where runs of jobs are read from: a file of JSON lines, or an audit table."""

    path: str | None = Field(
        default=None,
        description="a file with one JSON object a line, or a pattern such as `/var/log/runs-*.jsonl`",
    )
    sql: Annotated[str, AfterValidator(_database_address)] | None = Field(
        default=None, repr=False, description="the address of a database, as a check of type sql takes it"
    )
    query: str | None = Field(
        default=None, description="gives the rows after `:cursor`, with a column named cursor"
    )
    every: scalar.Span = Field(default=timedelta(seconds=15), description="how often it is read")
    job: ref.Expression | None = Field(
        default=None, description="a CEL expression for the job's name; else the field job_name"
    )
    status: ref.Expression | None = Field(
        default=None, description="a CEL expression for SUCCESS, ERROR or TIMEOUT; else the field status"
    )
    fields: scalar.Name | None = Field(default=None, description="a JSON column whose keys become fields")


class Defaults(Alerting):
    """What checks, jobs and rules take when they do not say."""

    every: scalar.Span = Field(default=timedelta(minutes=1), description="how often a check runs")
    timeout: scalar.Span = Field(default=timedelta(seconds=30), description="when a check has failed")
    failures: int = Field(default=1, description="how many bad results in a row make an alert", ge=1, le=1000)
    recoveries: int = Field(default=1, description="how many good results in a row end it", ge=1, le=1000)
    dedupe: Duration = Field(
        default=timedelta(hours=1), description="a problem that returns within this time is the same alert"
    )
    expire: Duration | None = Field(
        default=None, description="an alert nobody hears of for this long is closed"
    )
    grace: Duration = Field(default=timedelta(minutes=5), description="how late a job may start")
    for_: Duration = Field(
        default=timedelta(0), alias="for", description="how long it must be bad before it alerts"
    )
    tags: ref.Texts = Field(default=(), description="words to find and route by")
    anomaly: Anomaly = Field(
        default=False, description="also alert when a figure leaves its usual range: `true`, or which fields"
    )
    flapping: FlappingOrOff = Field(
        default=Flapping(), description="one message while it goes back and forth; `false` tells each time"
    )
