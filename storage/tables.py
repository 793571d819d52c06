"""The tables. Instants are stored in UTC; every query that runs often has its index here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect


class Instant(sa.TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite keeps it without its zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant must be aware")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Document = sa.JSON().with_variant(JSONB(), "postgresql")
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


def _table(name: str, *columns: Any) -> sa.Table:
    return sa.Table(name, metadata, *columns)


sources = _table(
    "sources",  # how each check and job stands, one row a resource
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("resource", sa.String(300), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("fields", Document, nullable=False),
    sa.Column("streaks", Document, nullable=False),
)

results = _table(
    "results",  # what checks found
    sa.Column("id", Id, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("resource", sa.String(300), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("fields", Document, nullable=False),
    sa.Index("ix_results_name_at", "name", "at"),
    sa.Index("ix_results_at", "at"),
)

runs = _table(
    "runs",  # executions of jobs
    sa.Column("id", Id, primary_key=True),
    sa.Column("run_id", sa.String(200), unique=True),
    sa.Column("job", sa.String(200), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("level", sa.String(16), nullable=False),
    sa.Column("finished_at", Instant, nullable=False),
    sa.Column("duration_seconds", sa.Float),
    sa.Column("exit_code", sa.Integer),
    sa.Column("fields", Document, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("search", sa.Text, nullable=False),  # last: what lists show is read without it
    sa.Index("ix_runs_job_finished_at", "job", "finished_at", "id"),
    sa.Index("ix_runs_status_finished_at", "status", "finished_at", "id"),
    sa.Index("ix_runs_finished_at", "finished_at", "id"),
    sa.Index("ix_runs_job_status_finished_at", "job", "status", "finished_at", "id"),
)

run_outputs = _table(
    "run_outputs",  # what runs printed, read only when somebody opens one
    sa.Column("run_id", Id, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("finished_at", Instant, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Index("ix_run_outputs_finished_at", "finished_at"),
)

rollups = _table(
    "rollups",  # an hour's numbers of a field; `sketch` is null where they are all the same
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("field", sa.String(200), primary_key=True),
    sa.Column("hour", Instant, primary_key=True),
    sa.Column("resource", sa.String(300), primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("sum", sa.Float, nullable=False),
    sa.Column("min", sa.Float, nullable=False),
    sa.Column("max", sa.Float, nullable=False),
    sa.Column("sketch", sa.LargeBinary),
    sa.Index("ix_rollups_hour", "hour"),
)

rollup_marks = _table(
    "rollup_marks",  # hours of a source about which something came late, to be rolled up again
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("hour", Instant, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)

open_runs = _table(
    "open_runs",  # runs that have begun and were not heard of since
    sa.Column("id", Id, primary_key=True),
    sa.Column("job", sa.String(200), nullable=False),
    sa.Column("rid", sa.String(200)),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("overlapped", sa.Boolean, nullable=False),
    sa.UniqueConstraint("job", "rid"),
    sa.Index("ix_open_runs_started_at", "started_at"),
)

known_jobs = _table(
    "known_jobs",  # what is remembered of each job beside its runs
    sa.Column("job", sa.String(200), primary_key=True),
    sa.Column("timetable", sa.String(300), nullable=False),
    sa.Column("known_since", Instant, nullable=False),
    sa.Column("introduced", sa.Boolean, nullable=False),
    sa.Column("last_start", Instant),
    sa.Column("announced", sa.Boolean, nullable=False),
    sa.Column("heard_after", sa.Float, nullable=False),
)

alerts = _table(
    "alerts",
    sa.Column("id", Id, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("fingerprint", sa.String(32), nullable=False),
    sa.Column("rule", sa.String(300), nullable=False),
    sa.Column("source_kind", sa.String(16), nullable=False),
    sa.Column("source", sa.String(200), nullable=False),
    sa.Column("resource", sa.String(300), nullable=False),
    sa.Column("severity", sa.Integer, nullable=False),
    sa.Column("category", sa.String(200), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("detail", Document, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("last_seen", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("reopened", sa.Integer, nullable=False),
    sa.Column("acknowledged_at", Instant),
    sa.Column("acknowledged_by", sa.String(64)),
    sa.Column("closed_at", Instant),
    sa.Column("closed_by", sa.String(64)),
    sa.Column("note", sa.Text),
    sa.Column("silenced_until", Instant),
    sa.Column("silenced_by", sa.String(64)),
    sa.Column("silence_reason", sa.Text),
    sa.Column("silence_id", Id),
    sa.Column("silence_name", sa.String(200)),
    sa.Index("ix_alerts_fingerprint_closed_at", "fingerprint", "closed_at"),
    sa.Index("ix_alerts_rule", "rule", "id"),
    sa.Index("ix_alerts_opened_at", "opened_at"),
    sa.Index("ix_alerts_closed_at", "closed_at"),
)
_open = alerts.c.closed_at.is_(None)
sa.Index(
    "uq_alerts_open_fingerprint",  # at most one open alert a fingerprint
    alerts.c.fingerprint,
    unique=True,
    sqlite_where=_open,
    postgresql_where=_open,
)

alert_events = _table(
    "alert_events",  # history: who did what to an alert, and when
    sa.Column("id", Id, primary_key=True),
    sa.Column("alert_id", Id, sa.ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("actor", sa.String(64)),
    sa.Index("ix_alert_events_alert_id", "alert_id", "id"),
)

decisions = _table(
    "decisions",  # why an alert went where it went, and what its escalation did
    sa.Column("id", Id, primary_key=True),
    sa.Column("alert_id", Id, sa.ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("reasons", Document, nullable=False),
    sa.Column("outcome", Document, nullable=False),
    sa.Index("ix_decisions_alert_id", "alert_id", "id"),
)

escalations = _table(
    "escalations",  # how far the escalation of an open alert is
    sa.Column("alert_id", Id, sa.ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("policy", sa.String(200), nullable=False),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("due_at", Instant),
    sa.Column("paused_at", Instant),
    sa.Index("ix_escalations_due_at", "due_at"),
)

held_alerts = _table(
    "held_alerts",  # alerts that nobody is told of before quiet hours end
    sa.Column("alert_id", Id, sa.ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("until", Instant, nullable=False),
    sa.Index("ix_held_alerts_until", "until"),
)

silences = _table(
    "silences",  # those that people made, and each window of those in the file
    sa.Column("id", Id, primary_key=True),
    sa.Column("origin", sa.String(16), nullable=False),
    sa.Column("name", sa.String(200)),
    sa.Column("match", sa.Text),
    sa.Column("fingerprint", sa.String(32)),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(64)),
    sa.Column("reason", sa.Text),
    sa.Column("extended_by", sa.String(64)),
    sa.Column("ended_at", Instant),
    sa.Column("ended_by", sa.String(64)),
    sa.Column("warned_at", Instant),
    sa.Column("told_at", Instant),
    sa.Index("ix_silences_fingerprint_ends_at", "fingerprint", "ends_at"),
    sa.Index("ix_silences_ends_at", "ends_at"),
)
_untold = silences.c.told_at.is_(None)
sa.Index(
    "ix_silences_untold",  # what is still to be said of a silence that is over
    silences.c.ends_at,
    sqlite_where=_untold,
    postgresql_where=_untold,
)
_of_file = silences.c.origin == "file"
sa.Index(
    "uq_silences_window",  # at most one row a window of the file
    silences.c.name,
    silences.c.starts_at,
    unique=True,
    sqlite_where=_of_file,
    postgresql_where=_of_file,
)

silenced_alerts = _table(
    "silenced_alerts",  # which alerts a silence kept quiet, and which of them somebody wanted to hear
    sa.Column("silence_id", Id, sa.ForeignKey("silences.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("alert_id", Id, sa.ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("lifted_by", sa.String(64)),
    sa.Index("ix_silenced_alerts_alert_id", "alert_id"),
)

audit = _table(
    "audit",  # what people did, written in the transaction of the act; it outlives the alert it was done to
    sa.Column("id", Id, primary_key=True),
    sa.Column("who", sa.String(64), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("act", sa.String(32), nullable=False),
    sa.Column("via", sa.String(16), nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("alert_id", Id),
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text),
    sa.Column("note", sa.Text),
    sa.Index("ix_audit_at", "at"),
    sa.Index("ix_audit_alert_id", "alert_id"),
    sa.Index("ix_audit_who_at", "who", "at"),
)

outbox = _table(
    "outbox",  # an entry says that a view is stale, or holds a post that is an event in time
    sa.Column("id", Id, primary_key=True),
    sa.Column("key", sa.String(300), nullable=False, unique=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("destination", sa.String(100), nullable=False),
    sa.Column("channel", sa.String(100), nullable=False),
    sa.Column("alert_id", Id, sa.ForeignKey("alerts.id", ondelete="CASCADE")),
    sa.Column("payload", Document, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("in_doubt_since", Instant),
    sa.Column("leased_by", sa.String(64)),
    sa.Column("leased_until", Instant),
    sa.Column("last_error", sa.Text),
    sa.Column("root_key", sa.String(300)),  # of what stands in a thread: the message it stands under
)
_pending = outbox.c.state == "pending"
sa.Index(
    "ix_outbox_pending",
    outbox.c.destination,
    outbox.c.channel,
    outbox.c.priority,
    outbox.c.id,
    sqlite_where=_pending,
    postgresql_where=_pending,
)
sa.Index(
    "ix_outbox_pending_alert",
    outbox.c.alert_id,
    outbox.c.id,
    sqlite_where=_pending,
    postgresql_where=_pending,
)

messages = _table(
    "messages",  # what was posted where
    sa.Column("key", sa.String(300), primary_key=True),
    sa.Column("alert_id", Id, sa.ForeignKey("alerts.id", ondelete="CASCADE")),
    sa.Column("destination", sa.String(100), nullable=False),
    sa.Column("channel", sa.String(100), nullable=False),
    sa.Column("ts", sa.String(64), nullable=False),
    sa.Column("posted_at", Instant, nullable=False),
    sa.Column("shown", sa.String(64), nullable=False),
    sa.Index("ix_messages_alert_id", "alert_id"),
    sa.Index("ix_messages_posted_at", "posted_at"),
)

destination_troubles = _table(
    "destination_troubles",  # destinations that refuse for good, of which Slack was told once
    sa.Column("destination", sa.String(100), primary_key=True),
    sa.Column("since", Instant, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

cursors = _table(
    "cursors",  # how far each followed log of runs is read; `item` is one file of it, or empty for the whole
    sa.Column("log", sa.String(64), primary_key=True),
    sa.Column("item", sa.String(100), primary_key=True),
    sa.Column("since", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("position", Document, nullable=False),
)

alert_groups = _table(
    "alert_groups",  # many alerts of a channel told in one message; `closed_at`: it takes no further ones
    sa.Column("id", Id, primary_key=True),
    sa.Column("destination", sa.String(100), nullable=False),
    sa.Column("channel", sa.String(100), nullable=False),
    sa.Column("urgent", sa.Boolean, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("joined_at", Instant, nullable=False),
    sa.Column("called_at", Instant, nullable=False),
    sa.Column("names", Document, nullable=False),
    sa.Column("closed_at", Instant),
)
_taking = alert_groups.c.closed_at.is_(None)
sa.Index(
    "uq_alert_groups_taking",  # at most one a lane that takes further alerts, and one for P1
    alert_groups.c.destination,
    alert_groups.c.channel,
    alert_groups.c.urgent,
    unique=True,
    sqlite_where=_taking,
    postgresql_where=_taking,
)

alert_group_members = _table(
    "alert_group_members",  # views that a group's message stands for; `opened`: it stands in the thread besides
    sa.Column("view_key", sa.String(300), primary_key=True),
    sa.Column("group_id", Id, sa.ForeignKey("alert_groups.id", ondelete="CASCADE"), nullable=False),
    sa.Column("alert_id", Id, sa.ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("opened", sa.Boolean, nullable=False),
    sa.Index("ix_alert_group_members_group_id", "group_id", "alert_id"),
    sa.Index("ix_alert_group_members_alert_id", "alert_id"),
)

incidents = _table(
    "incidents",  # problems that got a channel of their own; kept with their reports
    sa.Column("id", Id, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("severity", sa.Integer, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("opened_by", sa.String(64), nullable=False),
    sa.Column("asked_in", sa.String(100), nullable=False),
    sa.Column("channel_name", sa.String(80), nullable=False),
    sa.Column("channel_id", sa.String(64)),
    sa.Column("closed_at", Instant),
    sa.Column("closed_by", sa.String(64)),
    sa.Column("root_cause", sa.Text),
    sa.Column("resolution", sa.Text),
    sa.Column("asked_at", Instant),
    sa.Column("report", sa.Text),
    sa.Index("ix_incidents_closed_at", "closed_at"),
)

incident_alerts = _table(
    "incident_alerts",  # which alerts belong to which incident; `left_at` when the incident was closed
    sa.Column("incident_id", Id, sa.ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("alert_id", Id, sa.ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("joined_at", Instant, nullable=False),
    sa.Column("joined_by", sa.String(64), nullable=False),
    sa.Column("left_at", Instant),
    sa.Index("ix_incident_alerts_alert_id", "alert_id"),
)
_belongs = incident_alerts.c.left_at.is_(None)
sa.Index(
    "uq_incident_alerts_open",  # an alert belongs to at most one open incident
    incident_alerts.c.alert_id,
    unique=True,
    sqlite_where=_belongs,
    postgresql_where=_belongs,
)

incident_notes = _table(
    "incident_notes",  # an incident's own history, beside that of its alerts
    sa.Column("id", Id, primary_key=True),
    sa.Column("incident_id", Id, sa.ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("actor", sa.String(64)),
    sa.Index("ix_incident_notes_incident_id", "incident_id", "id"),
)

incident_steps = _table(
    "incident_steps",  # what is still to be done in Slack for an incident: each can be done again after a kill
    sa.Column("id", Id, primary_key=True),
    sa.Column("incident_id", Id, sa.ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("payload", Document, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("leased_until", Instant),
    sa.Column("last_error", sa.Text),
    sa.UniqueConstraint("incident_id", "name"),
)
_to_do = incident_steps.c.state == "pending"
sa.Index(
    "ix_incident_steps_pending",
    incident_steps.c.due_at,
    sqlite_where=_to_do,
    postgresql_where=_to_do,
)

slots = _table(
    "slots",  # which occurrences of digests and heartbeats were seen to
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("due_at", Instant, nullable=False),
)

checkins = _table(
    "checkins",  # cards with the state of some checks; `live_until` while something on them is pending
    sa.Column("id", Id, primary_key=True),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("channel", sa.String(100), nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("as_of", Instant, nullable=False),
    sa.Column("lines", Document, nullable=False),
    sa.Column("checks", Document, nullable=False),
    sa.Column("mention", Document, nullable=False),
    sa.Column("live_until", Instant),
    sa.Index("ix_checkins_live_until", "live_until"),
    sa.Index("ix_checkins_due_at", "due_at"),
)

checklists = _table(
    "checklists",  # lists of tasks as they were posted
    sa.Column("id", Id, primary_key=True),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("channel", sa.String(100), nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("items", Document, nullable=False),
    sa.Column("mention", Document, nullable=False),
    sa.Index("ix_checklists_due_at", "due_at"),
)

checklist_ticks = _table(
    "checklist_ticks",  # who did which task when
    sa.Column("checklist_id", Id, sa.ForeignKey("checklists.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("item", sa.Integer, primary_key=True),
    sa.Column("by", sa.String(64), nullable=False),
    sa.Column("at", Instant, nullable=False),
)

drills = _table(
    "drills",  # marked test alerts, and where they were sent
    sa.Column("id", Id, primary_key=True),
    sa.Column("by", sa.String(64), nullable=False),
    sa.Column("channel", sa.String(100), nullable=False),
    sa.Column("severity", sa.Integer, nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("places", Document, nullable=False),
    sa.Column("shown", Document, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Index("ix_drills_ended_at", "ended_at"),
    sa.Index("ix_drills_started_at", "started_at"),
)

overrides = _table(
    "overrides",  # settings changed at run time; those that are over stay as history
    sa.Column("id", Id, primary_key=True),
    sa.Column("path", sa.String(300), nullable=False),
    sa.Column("value", Document, nullable=False),
    sa.Column("file_value", Document, nullable=False),
    sa.Column("set_by", sa.String(64), nullable=False),
    sa.Column("set_at", Instant, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("reverted_at", Instant),
    sa.Column("reverted_by", sa.String(64)),
    sa.Column("replaced", sa.Boolean, nullable=False, default=False),
)
_holding = overrides.c.reverted_at.is_(None)
sa.Index(
    "uq_overrides_path",  # at most one holds at a path
    overrides.c.path,
    unique=True,
    sqlite_where=_holding,
    postgresql_where=_holding,
)

remedy_attempts = _table(
    "remedy_attempts",  # tries of remedies at alerts; `due_at`: when somebody must look at one again
    sa.Column("id", Id, primary_key=True),
    sa.Column("alert_id", Id, sa.ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("remedy", sa.String(200), nullable=False),
    sa.Column("episode", sa.Integer, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("resource", sa.String(300), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("due_at", Instant),
    sa.Column("target", sa.String(32), nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("values", Document, nullable=False),
    sa.Column("waited", sa.Boolean, nullable=False),
    sa.Column("approved_by", sa.String(64)),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("owner", sa.String(64)),
    sa.Column("started_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("output", sa.Text, nullable=False),
    sa.UniqueConstraint("alert_id", "remedy", "episode", "number"),
    sa.Index("ix_remedy_attempts_remedy_started_at", "remedy", "started_at"),
)
_due = remedy_attempts.c.due_at.is_not(None)
sa.Index(
    "ix_remedy_attempts_due_at",
    remedy_attempts.c.due_at,
    sqlite_where=_due,
    postgresql_where=_due,
)
_under_way = sa.text("state IN ('running', 'verifying')")
sa.Index(
    "uq_remedy_attempts_resource",  # one attempt at a time of a remedy at a resource
    remedy_attempts.c.remedy,
    remedy_attempts.c.resource,
    unique=True,
    sqlite_where=_under_way,
    postgresql_where=_under_way,
)
sa.Index(
    "uq_remedy_attempts_target",  # and of the same action, whatever the resource
    remedy_attempts.c.remedy,
    remedy_attempts.c.target,
    unique=True,
    sqlite_where=_under_way,
    postgresql_where=_under_way,
)
