"""Alerts in every state, and the lines of their threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot.blocks.alert import AlertContext, render_alert, render_event
from bot.blocks.held import render_held
from bot.blocks.message import Message
from bot.blocks.remedies import (
    begun,
    exhausted,
    interrupted,
    not_again,
    offered,
    performed,
    recovered,
    rehearsed,
    still_failing,
)
from bot.blocks.remedies import refused as not_run
from bot.domain.alert import EventKind, Status, acknowledge, expire, recover, resolve, silence
from bot.domain.condition import compile_condition
from bot.domain.incident import Standing
from bot.domain.observation import Source, SourceKind
from bot.domain.recurrence import Recurrence
from bot.domain.remedy import Attempt, Remedy
from bot.domain.severity import Severity
from tests.domain.findings import HOUR, MINUTE, NOON
from tests.messages.catalogue.parts import ALEX, KIM, LATER, SAM, alert, alerts, changed, diagnostics, event
from tests.messages.kinds import Sample, kind

ONCALL = "<!subteam^S0ONCALL>"


def _around(**parts: object) -> AlertContext:
    return replace(
        AlertContext(now=LATER, recurrence=Recurrence(count=4), incident=Standing()),
        **parts,  # type: ignore[arg-type]
    )


@kind("alert-firing", "A check fails: what, where, why, since when, what to do, with what the machine looked like",
      render_alert, says=("P1 critical", "CPU at 97%", "`web-1`", "Since", "Why:", "Runbook"), large=True)  # fmt: skip
def _firing(s: Sample) -> Message:
    found = alert(s, diagnostics=diagnostics(s))
    return render_alert(found, _around(mention=ONCALL, escalates_at=LATER + 15 * MINUTE))


@kind("alert-job", "A job fails", render_alert, says=("P2 high", "nightly_backup failed", "`nightly_backup`"))
def _job(s: Sample) -> Message:
    name = s.text("nightly_backup")
    found = alert(
        s, severity=Severity.HIGH, source=Source(kind=SourceKind.JOB, name=name), resource=name,
        rule=s.text("failed"), title=s.text("nightly_backup failed"), message="",
        reason=s.text("ERROR (exit code 28): no space left on device"), category=s.text("jobs"),
    )  # fmt: skip
    return render_alert(replace(found, count=1), _around(recurrence=Recurrence(count=1)))


@kind("alert-raised", "Somebody raises an alert by hand", render_alert,
      says=("P2 high", "Checkout is slow", "`checkout`"))  # fmt: skip
def _raised(s: Sample) -> Message:
    found = alert(
        s, severity=Severity.HIGH, source=Source(kind=SourceKind.ALERT, name="raised by hand"),
        resource=s.text("checkout"), title=s.text("Checkout is slow"), rule="raised by hand", category="manual",
        message=s.text("Three customers wrote within a minute."), reason="", recommendations=(), runbook=None,
        fields={"raised_by": KIM},
    )  # fmt: skip
    return render_alert(replace(found, count=1), _around(recurrence=Recurrence(count=1)))


@kind("alert-mounts", "One check finds trouble in many places at once", render_alert,
      says=("P1 critical", "disks are nearly full"))  # fmt: skip
def _mounts(s: Sample) -> Message:
    mounts = s.many(
        50, lambda number: f"{s.text('/mnt/disk')}{number:02} {s.count(90 + number % 10)}% of 2 TB"
    )
    found = alert(
        s,
        title=s.text("50 disks are nearly full"),
        reason=s.text("worst is /mnt/disk09 with 99%: ") + ", ".join(mounts),
    )
    return render_alert(found, _around())


@kind(
    "alert-acknowledged",
    "Somebody took it",
    render_alert,
    says=("P1 critical", "CPU at 97%", f"<@{ALEX}>", "`web-1`"),
)
def _acknowledged(s: Sample) -> Message:
    taken = changed(acknowledge(alert(s), ALEX, s.text("looking at the importer"), LATER))
    return render_alert(taken, _around())


@kind(
    "alert-silenced",
    "Somebody silenced it",
    render_alert,
    says=("Silenced", "P1 critical", "CPU at 97%", "`web-1`"),
)
def _silenced(s: Sample) -> Message:
    return render_alert(changed(silence(alert(s), ALEX, HOUR, s.text("deployment"), LATER)), _around())


@kind(
    "alert-resolved", "Somebody resolved it", render_alert, says=("Resolved", "CPU at 97%", "P1", "`web-1`")
)
def _resolved(s: Sample) -> Message:
    done = changed(resolve(alert(s), SAM, s.text("restarted the importer"), LATER))
    return render_alert(done, _around())


@kind(
    "alert-recovered", "It is over by itself", render_alert, says=("Resolved", "CPU at 97%", "P1", "`web-1`")
)
def _recovered(s: Sample) -> Message:
    return render_alert(recover(alert(s), s.text("cpu_percent 12"), LATER).alert, _around())


@kind(
    "alert-expired",
    "Nothing was heard of it for long",
    render_alert,
    says=("Expired", "CPU at 97%", "`web-1`"),
)
def _expired(s: Sample) -> Message:
    return render_alert(changed(expire(alert(s), LATER)), _around())


@kind(
    "alert-flapping",
    "It goes back and forth",
    render_alert,
    says=("P1 critical", "CPU at 97%", "flapping", "`web-1`"),
)
def _flapping(s: Sample) -> Message:
    return render_alert(alert(s, flapping="6 changes in 30 min"), _around())


@kind(
    "alert-held",
    "Something else explains it",
    render_alert,
    says=("P2 high", "Payments answer slowly", "`payments`"),
)
def _held(s: Sample) -> Message:
    return render_alert(alert(s, 2, held_by=s.text("database")), _around())


@kind("alert-rerouted", "Its destination cannot be used, so the default channel is told", render_alert,
      says=("P1 critical", "meant for #payments"))  # fmt: skip
def _rerouted(s: Sample) -> Message:
    return render_alert(alert(s), _around(instead_of=(s.text("#payments"),)))


def _remedy() -> Remedy:
    return Remedy(
        name="restart-importer", when=compile_condition("true"), action=None,  # type: ignore[arg-type]
        attempts=2, approve=True,
    )  # fmt: skip


def _attempt(s: Sample, number: int = 1) -> Attempt:
    return Attempt(
        id=number, alert_id=41, remedy=f"restart-importer-{number}" if number > 1 else "restart-importer",
        episode=0, resource=s.text("web-1"), created_at=NOON, due_at=None, ordinal=1, started_at=NOON,
        action=s.text("systemctl restart importer"),
    )  # fmt: skip


@kind("alert-offer", "A recovery waits for somebody's approval", render_alert,
      says=("P1 critical", "CPU at 97%", "`web-1`"))  # fmt: skip
def _offer(s: Sample) -> Message:
    return render_alert(alert(s), _around(offers=s.many(1, lambda number: _attempt(s, number))))


@kind("held-overnight", "The end of quiet hours: what began meanwhile", render_held, says=("in quiet hours",))
def _overnight(s: Sample) -> Message:
    found = alerts(s, 4)
    over = [replace(each, status=Status.RESOLVED, closed_at=LATER) for each in found[2:]]
    return render_held([*found[:2], *over])


# The lines of a thread -----------------------------------------------------------------------------------

_SAID = {
    EventKind.FIRED: "cpu_percent 97 is over its threshold of 80",
    EventKind.REOPENED: "cpu_percent 98 is over its threshold of 80",
    EventKind.SEVERITY: "from P2 to P1: cpu_percent 97 is above 95",
    EventKind.ACKNOWLEDGED: "looking at the importer",
    EventKind.UNACKNOWLEDGED: "",
    EventKind.RESOLVED: "restarted the importer",
    EventKind.RECOVERED: "cpu_percent 12",
    EventKind.SILENCED: "until 2026-11-20 13:25 UTC: deployment",
    EventKind.UNSILENCED: "",
    EventKind.EXPIRED: "not seen for 1 d",
    EventKind.REMEDY: "running restart-importer (attempt 1 of 2 in 1 h): systemctl restart importer",
    EventKind.REMEDY_APPROVED: "restart-importer",
    EventKind.REMEDY_FAILED: "web-1 is still failing after restart-importer, 2 of 2 attempts. Somebody must look",
    EventKind.ESCALATED: "step 2: nobody has taken it for 15 min",
    EventKind.FLAPPING: "6 changes in 30 min",
    EventKind.STEADY: "steady for 30 min",
    EventKind.RELEASED: "check database passes again",
    EventKind.INCIDENT: "incident #7 in #inc-7-cpu",
}
BY_ITSELF = {EventKind.FIRED, EventKind.REOPENED, EventKind.SEVERITY, EventKind.RECOVERED, EventKind.EXPIRED,
             EventKind.REMEDY, EventKind.REMEDY_FAILED, EventKind.ESCALATED, EventKind.FLAPPING, EventKind.STEADY,
             EventKind.RELEASED}  # fmt: skip


def _enter_line(what: EventKind) -> None:
    said = _SAID.get(what, "")

    @kind(f"line-{what.value.replace('_', '-')}", f"A line of an alert's thread: {what.value.replace('_', ' ')}",
          render_event)  # fmt: skip
    def _line(s: Sample) -> Message:
        actor = None if what in BY_ITSELF else ALEX
        return render_event(event(s, what, said, actor), alert(s), ONCALL)


for _what in EventKind:
    _enter_line(_what)


def _remedy_line(s: Sample, text: str, kind: EventKind = EventKind.REMEDY) -> Message:
    return render_event(replace(event(s, kind, actor=None), text=text), alert(s))


_STEPS: dict[str, tuple[Callable[..., str], Callable[[Sample], str]]] = {
    "offered": (offered, lambda s: offered(_remedy(), s.text("systemctl restart importer"))),
    "begun": (begun, lambda s: begun(_remedy(), _attempt(s))),
    "performed": (
        performed,
        lambda s: performed(_remedy(), s.text("exit code 0 in 2 s"), ok=True, checked_after=MINUTE),
    ),
    "interrupted": (interrupted, lambda s: interrupted(_remedy(), _attempt(s), MINUTE)),
    "recovered": (recovered, lambda s: recovered(_remedy(), _attempt(s), LATER, LATER)),
    "still-failing": (
        still_failing,
        lambda s: still_failing(_remedy(), _attempt(s), s.text("cpu_percent 96")),
    ),
    "exhausted": (exhausted, lambda s: exhausted(_remedy(), _attempt(s), s.text("cpu_percent 96"))),
    "not-again": (not_again, lambda s: not_again(_remedy(), s.text("it was interrupted"))),
    "refused": (not_run, lambda s: not_run(_remedy(), s.text("2 attempts in 1 h are used up"))),
    "rehearsed": (rehearsed, lambda s: rehearsed(_remedy(), s.text("systemctl restart importer"))),
}


def _enter_step(name: str) -> None:
    function, words = _STEPS[name]

    @kind(f"remedy-{name}", f"A line of a recovery: {name.replace('-', ' ')}", function)
    def _line(s: Sample) -> Message:
        return _remedy_line(s, words(s))


for _name in _STEPS:
    _enter_step(_name)
