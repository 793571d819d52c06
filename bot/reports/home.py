"""How everything stands, as Home shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.oncall import Duty
from bot.domain.silence import Silence
from bot.reports.overview import Overview


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeState:
    """`coming` are the scheduled messages by name, with the instant of the next one."""

    overview: Overview
    silences: Sequence[Silence] = ()
    duties: Mapping[str, Duty] = field(default_factory=dict)
    coming: Sequence[tuple[str, datetime]] = ()
