"""Who is on call when, and when nobody is to be woken, as settings."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from bot.config import moments as moment
from bot.config import references as ref
from bot.config import scalars as scalar
from bot.config.section import Section
from bot.domain.severity import Severity


def _date(value: Any) -> Any:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ref.refuse(f'"{value[:40]}" is not a date', "write one such as 2026-03-02") from None


Day = Annotated[date, BeforeValidator(_date)]


class OnCallOverride(Section):
    """Somebody takes over for a time, whoever's turn it is."""

    who: ref.Person = Field(description="who takes over")
    from_: ref.Instant = Field(alias="from", description="from when; in the file's zone unless it says")
    until: ref.Instant = Field(description="until when")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> OnCallOverride:
        if self.until <= self.from_:
            raise ref.refuse("it ends before it begins", "swap from and until")
        return self


class OnCall(Section):
    """People who take turns; its name may stand in any mention and is whoever is on call at that moment."""

    rotation: ref.People = Field(description="who takes turns, in this order", min_length=1)
    handover: moment.HandoverTime = Field(
        description='when one hands over to the next: `"Mon 09:00"` every week, `"09:00"` every day'
    )
    starts: Day | None = Field(
        default=None, description="the first of them begins at the first hand-over from this day on"
    )
    timezone: moment.Zone | None = Field(
        default=None, description="the zone of the hand-over; the file's unless set"
    )
    overrides: tuple[OnCallOverride, ...] = Field(
        default=(), description="exceptions; the last written counts"
    )


class QuietHoursSettings(Section):
    """Hours in which alerts less severe than `below` name nobody."""

    between: moment.Window = Field(
        description='from when until when, `"22:00-07:00"`; the same time twice is a whole day'
    )
    days: moment.Weekdays | None = Field(
        default=None,
        description="the days on which they begin: `weekdays`, `weekend`, `[fri, sat]`; all unless set",
    )
    below: scalar.SeverityWord = Field(
        default=Severity.HIGH, description="alerts less severe than this are quiet"
    )
    hold: bool = Field(default=False, description="tell nothing before they end, and then all in one message")
    timezone: moment.Zone | None = Field(default=None, description="their zone; the file's unless set")
