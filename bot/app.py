"""The composition root: builds every part, starts them in order, stops them in the reverse."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import aiohttp
import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

import bot
from bot import checkins, checklists, drills
from bot.alerting import Alerting
from bot.announcing import Announcer
from bot.channels.emergency import Emergency
from bot.channels.outlets import Outlets, critical_only
from bot.channels.rooms import Rooms
from bot.channels.slack import SlackDestination
from bot.checkins import Checkins
from bot.checklists import Checklists
from bot.config import Settings
from bot.config.plans import plan_of, rotations_of
from bot.config.remedybook import masker_of, remedies_of
from bot.config.timetables import samples_of, timetables_of
from bot.domain.alert import Alert
from bot.domain.clock import Clock, system_clock
from bot.drills import Drills
from bot.escalating import Escalating
from bot.fallback import Fallback
from bot.following.following import Following
from bot.grouping import Grouping
from bot.incident_steps import IncidentSteps
from bot.incidents import Incidents
from bot.measuring import shares_of
from bot.monitoring import Monitoring
from bot.notifier import Notifier
from bot.occasions import ScheduledMessages
from bot.outward import Outward
from bot.overriding import Overriding
from bot.performing import Performer
from bot.pinging import Pinging
from bot.present import Present
from bot.probe import probes_of
from bot.raising import Raising
from bot.remedy_plan import RemedyPlan
from bot.remedying import Remedying
from bot.rendering import Card
from bot.reporting import Reporting
from bot.scheduled import ReadinessReports, scheduled_messages
from bot.scheduler import Scheduler
from bot.silence_book import SilenceBook
from bot.silencing import Silencing
from bot.upkeep import SWEEP, Upkeep
from bot.watching import Watch
from bot.why import Explaining, Looking
from handlers.http.addresses import Addresses
from handlers.http.alerts import AlertsApi
from handlers.http.audit import AuditApi
from handlers.http.incidents import IncidentApi
from handlers.http.overrides import OverrideApi
from handlers.http.pings import PingRoutes
from handlers.http.run_routes import RunRoutes
from handlers.http.server import HttpServer
from handlers.http.silences import SilenceApi
from handlers.slack.alert_desk import AlertDesk
from handlers.slack.answering import Answering
from handlers.slack.audit_desk import AuditDesk
from handlers.slack.connection import Identity, SocketConnection
from handlers.slack.dispatch import Dispatch, handlers_of
from handlers.slack.groups import GroupDesk
from handlers.slack.hearing import Hearing
from handlers.slack.home import TICK as HOME_TICK
from handlers.slack.home import Home
from handlers.slack.incidents import IncidentDesk
from handlers.slack.listeners import Desks, Listeners
from handlers.slack.occasions import OccasionDesk
from handlers.slack.overriding import SettingsDesk
from handlers.slack.people import People, mention_of
from handlers.slack.raising import Raiser
from handlers.slack.run_window import RunWindow
from handlers.slack.silences import SilenceDesk
from storage import alerts, outbox, remedies
from storage import incidents as incident_queries
from storage.database import Database, DatabaseError
from storage.schema import upgrade

log = structlog.get_logger(__name__)

_SLACK_TIMEOUT = 10
_GATHERING = timedelta(milliseconds=300)  # that a new alert waits for others that begin with it


class Tocsin:
    """One running bot. `start`, then `run` until its task is cancelled or `request_stop`, then `stop`."""

    def __init__(self, settings: Settings, *, clock: Clock = system_clock) -> None:
        self.settings = settings
        self.clock = clock
        self._stop_requested = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._resources = AsyncExitStack()
        slack = settings.slack
        self.database = Database(settings.database)
        self._cards: dict[str, Card] = {}
        rotations = rotations_of(settings)
        self.outlets = Outlets(settings.destinations, clock=clock, system=settings.name)
        sparing = critical_only(settings.destinations)
        plan = plan_of(settings, deliverable=frozenset(self.outlets.by_name), critical_only=sparing)
        self.present = Present.of(settings)
        known, mask = remedies_of(settings), masker_of(settings)
        remedy_plan = RemedyPlan(database=self.database, remedies=known, mask=mask)
        self.announcer = Announcer(
            database=self.database,
            channel=slack.channel,
            plan=plan,
            follow=remedy_plan.follow,
        )
        self.outward = Outward(
            database=self.database,
            clock=clock,
            zone=settings.timezone,
            system=settings.name,
            channel=slack.channel,
            outlets=self.outlets.by_name,
            people={ids[0]: name for name, ids in settings.people.items() if len(ids) == 1},
        )
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SLACK_TIMEOUT))
        self.client = AsyncWebClient(
            token=slack.bot_token.get_secret_value(),
            base_url=slack.api_url,
            session=self._session,
            timeout=_SLACK_TIMEOUT,
            retry_handlers=[],  # the outbox decides what is sent again
        )
        self.slack = SlackDestination(self.client)
        owner = f"{socket.gethostname()}:{os.getpid()}"[:64]
        self.notifier = Notifier(
            database=self.database,
            destinations={"slack": self.slack},
            default_channel=slack.channel,
            clock=clock,
            mention=lambda names: mention_of(names, settings, rotations, clock()),
            zone=settings.timezone,
            changed=self._changes_of,
            prefix=slack.command_prefix,
            gathering=_GATHERING,
            owner=owner,
            outward=self.outward,
            cards=self._cards,
        )
        self.fallback = Fallback(
            database=self.database,
            clock=clock,
            wake=self.notifier.wake,
            silent_since=lambda: self.notifier.silent_since,
            zone=settings.timezone,
            names=tuple(
                name for name, each in settings.destinations.items() if each.enabled and each.fallback
            ),
            critical_only=sparing,
        )
        book = SilenceBook(database=self.database, timetables=timetables_of(settings))
        self.silencing = Silencing(
            database=self.database,
            announcer=self.announcer,
            book=book,
            clock=clock,
            wake=self.notifier.wake,
            samples=samples_of(settings, self.present.rules),
        )
        self.monitoring = Monitoring(
            database=self.database,
            rulebook=self.present,
            announcer=self.announcer,
            clock=clock,
            wake=self.notifier.wake,
            silences=book,
        )
        self.watch = Watch(
            database=self.database,
            monitoring=self.monitoring,
            expected=self.present,
            clock=clock,
        )
        self.following = Following(
            settings=settings,
            database=self.database,
            monitoring=self.monitoring,
            clock=clock,
            wake=self.notifier.wake,
        )
        self.alerting = Alerting(
            database=self.database,
            announcer=self.announcer,
            silencing=self.silencing,
            clock=clock,
            wake=self.notifier.wake,
        )
        self.overriding = Overriding(
            database=self.database,
            present=self.present,
            announcer=self.announcer,
            clock=clock,
            wake=self.notifier.wake,
        )
        self.escalating = Escalating(
            database=self.database, announcer=self.announcer, clock=clock, wake=self.notifier.wake
        )
        self.reporting = Reporting(
            database=self.database, present=self.present, clock=clock, troubles=self.troubles
        )
        self.upkeep = Upkeep(
            database=self.database, clock=clock, retention=settings.retention, shares=shares_of(settings)
        )
        self._build_occasions()
        self.scheduled = ScheduledMessages(
            database=self.database,
            clock=clock,
            wake=self.notifier.wake,
            messages=scheduled_messages(settings, self.reporting, self.checkins, self.checklists),
        )
        readiness = ReadinessReports(
            database=self.database,
            channel=slack.channel,
            rules=self.present,
            clock=clock,
            wake=self.notifier.wake,
        )
        self.scheduler = Scheduler(monitoring=self.monitoring, clock=clock, report=readiness.post)
        self.remedying = Remedying(
            database=self.database,
            announcer=self.announcer,
            remedies=known,
            performer=Performer(clock=clock, mask=mask),
            run_check=self.scheduler.run_now,
            clock=clock,
            escalate=self.escalating.hasten,
            wake=self.notifier.wake,
            mask=mask,
            owner=owner,
        )
        self.raising = Raising(
            database=self.database,
            monitoring=self.monitoring,
            clock=clock,
            dedupe=settings.defaults.dedupe,
            expire=settings.defaults.expire,
        )
        addresses = Addresses(
            database=self.database,
            key=settings.http.ping_key.get_secret_value() if settings.http.ping_key else "",
            jobs={name: job.ping for name, job in settings.jobs.items()},
        )
        pinging = Pinging(database=self.database, monitoring=self.monitoring, clock=clock)
        self.people = People(settings, self.client, clock)
        self.incidents = self._build_incidents()
        self.http = HttpServer(
            routes=(
                PingRoutes(addresses=addresses, pinging=pinging),
                RunRoutes(database=self.database, monitoring=self.monitoring, clock=clock),
                AlertsApi(database=self.database, raising=self.raising, alerting=self.alerting),
                AuditApi(database=self.database),
            ),
            token=settings.http.token,
            body_limit=settings.http.body_limit,
            health=self.health,
        )
        SilenceApi(self.silencing, clock, settings.timezone).add_to(self.http.app)
        OverrideApi(self.overriding).add_to(self.http.app)
        IncidentApi(self.incidents).add_to(self.http.app)
        self._emergency = Emergency(self.client, slack.channel, clock)
        self._build_slack()

    def _build_occasions(self) -> None:
        rotations = rotations_of(self.settings)

        def called(names: Sequence[str]) -> str:
            return mention_of(names, self.settings, rotations, self.clock())

        wake = self.notifier.wake
        self.checkins = Checkins(
            database=self.database,
            settings=self.settings,
            reporting=self.reporting,
            clock=self.clock,
            wake=wake,
            mention=called,
        )
        self.checklists = Checklists(
            database=self.database, settings=self.settings, clock=self.clock, wake=wake, mention=called
        )
        self.drills = Drills(database=self.database, clock=self.clock, wake=wake)
        self._cards |= {
            checkins.KIND: self.checkins.view,
            checklists.KIND: self.checklists.view,
            drills.KIND: self.drills.view,
        }

    def _build_incidents(self) -> Incidents:
        rooms, prefix = Rooms(self.client), self.settings.slack.command_prefix
        steps = IncidentSteps(
            database=self.database,
            announcer=self.announcer,
            rooms=rooms,
            clock=self.clock,
            wake=self.notifier.wake,
            prefix=prefix,
        )
        return Incidents(
            database=self.database,
            announcer=self.announcer,
            rooms=rooms,
            steps=steps,
            on_call=self.people.on_call,
            clock=self.clock,
            wake=self.notifier.wake,
            zone=self.settings.timezone,
            prefix=prefix,
        )

    def _build_slack(self) -> None:
        settings = self.settings
        identity = Identity(self.client)
        app = AsyncApp(
            client=self.client,
            authorize=identity.authorization(),
            process_before_response=True,  # acknowledged at once instead of at the next 10 ms poll
            request_verification_enabled=False,  # Socket Mode has no signatures
        )
        self.people = People(settings, self.client, self.clock)
        self.settings_desk = SettingsDesk(
            client=self.client,
            overriding=self.overriding,
            reporting=self.reporting,
            people=self.people,
            prefix=settings.slack.command_prefix,
        )
        self.home = Home(
            client=self.client,
            settings=settings,
            reporting=self.reporting,
            silencing=self.silencing,
            people=self.people,
            scheduled=self.scheduled.messages,
            clock=self.clock,
        )
        self.notifier.on_wake = self.home.touch
        self.listeners = Listeners(app=app, desks=self._desks(), prefix=settings.slack.command_prefix)

        def learn_team() -> None:
            self.people.home_team = settings.slack.team or identity.team

        self.socket = SocketConnection(
            app=app,
            client=self.client,
            app_token=settings.slack.app_token.get_secret_value(),
            identity=identity,
            on_identity=learn_team,
        )

    def _desks(self) -> Desks:
        """Who answers what in Slack."""
        settings, prefix = self.settings, self.settings.slack.command_prefix
        silences = SilenceDesk(
            client=self.client,
            database=self.database,
            silencing=self.silencing,
            people=self.people,
            clock=self.clock,
            zone=settings.timezone,
            prefix=prefix,
        )
        incidents = IncidentDesk(
            client=self.client, incidents=self.incidents, people=self.people, prefix=prefix
        )
        looking = Looking(
            database=self.database, clock=self.clock, zone=settings.timezone, changed=self._changes_of
        )
        explaining = Explaining(
            database=self.database, rules=self.present, plan=self.announcer.rules, clock=self.clock
        )
        answering = Answering(
            database=self.database,
            settings=settings,
            reporting=self.reporting,
            looking=looking,
            explaining=explaining,
            clock=self.clock,
            changed=self.overriding.lines_about,
        )
        occasions = OccasionDesk(
            client=self.client,
            checklists=self.checklists,
            drills=self.drills,
            reporting=self.reporting,
            plan=self.announcer.rules,
            people=self.people,
            clock=self.clock,
        )
        raiser = Raiser(client=self.client, raising=self.raising)
        audits = AuditDesk(
            client=self.client, database=self.database, people=self.people, looking=looking, clock=self.clock
        )
        dispatch = Dispatch(
            handlers=handlers_of(
                answering, silences, incidents, self.settings_desk, raiser, audits, occasions
            ),
            answering=answering,
            people=self.people,
            prefix=prefix,
        )
        return Desks(
            dispatch=dispatch,
            answering=answering,
            alerts=AlertDesk(
                client=self.client,
                alerting=self.alerting,
                looking=looking,
                explaining=explaining,
                people=self.people,
                incidents=incidents,
                remedying=self.remedying,
                settings=self.settings_desk,
            ),
            settings=self.settings_desk,
            groups=GroupDesk(
                grouping=Grouping(
                    database=self.database,
                    announcer=self.announcer,
                    clock=self.clock,
                    wake=self.notifier.wake,
                ),
                people=self.people,
            ),
            silences=silences,
            incidents=incidents,
            occasions=occasions,
            raiser=raiser,
            runs=RunWindow(self.client, self.database),
            hearing=Hearing(
                database=self.database, dispatch=dispatch, clock=self.clock, wake=self.notifier.wake
            ),
            home=self.home,
            people=self.people,
        )

    def _changes_of(self, alert: Alert) -> tuple[str, ...]:
        return self.overriding.lines_of(alert)

    async def start(self) -> None:
        """Open the database, listen, and begin. Raises DatabaseUnusable, AddressUnusable."""
        self._resources.push_async_callback(self._session.close)
        self._resources.push_async_callback(self.outlets.close)
        self._resources.push_async_callback(self.database.close)
        self.database.hold_alone()
        await upgrade(self.database)
        if self.database.is_sqlite:
            async with self.database.transaction() as connection:
                await outbox.release_all(connection)
                await incident_queries.release_steps(connection)
                await remedies.interrupt_all(connection, self.clock())
        await self.outward.begin()
        async with self.database.snapshot() as connection:
            self.slack.remember(await outbox.channels(connection, "slack"))
        await self.overriding.load()
        bind = self.settings.http.bind
        await self.http.start(bind.host, bind.port)
        self.scheduler.add_probes(
            await self._resources.enter_async_context(probes_of(self.settings, self.clock))
        )
        self.scheduler.add_tick("alerts", self.alerting.tick)
        self.scheduler.add_tick("settings", self.overriding.tick)
        self.scheduler.add_tick("escalations", self.escalating.tick)
        self.scheduler.add_tick("fallback", self.fallback.tick)
        self.scheduler.add_tick("incidents", self.incidents.tick)
        self.scheduler.add_tick("jobs", self.watch.tick)
        self.scheduler.add_tick("remedies", self.remedying.tick)
        self.scheduler.add_tick("messages", self.scheduled.tick)
        self.scheduler.add_tick("home", self.home.tick, HOME_TICK)
        self.scheduler.add_tick("checkins", self.checkins.tick)
        self.scheduler.add_tick("drills", self.drills.tick)
        self.scheduler.add_tick("emergency", self._check_itself)
        self.scheduler.add_tick("rollups", self.upkeep.roll_up)
        self.scheduler.add_tick("sweep", self.upkeep.sweep, SWEEP)
        self._tasks = [
            self.monitoring.start(),
            self.following.start(),
            asyncio.create_task(self.notifier.run(), name="notifier"),
            asyncio.create_task(self.socket.run(), name="slack"),
        ]
        self.scheduler.start()
        log.info(
            "started", version=bot.__version__, checks=len(self.settings.checks), http_port=self.http.port
        )

    def request_stop(self) -> None:
        """Let `run` return."""
        self._stop_requested.set()

    async def run(self) -> None:
        """Until a stop is requested. A part that dies takes the process down: raises what it died of."""
        stop = asyncio.create_task(self._stop_requested.wait())
        try:
            done, _ = await asyncio.wait([stop, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
                if task is not stop:
                    raise RuntimeError(f"{task.get_name()} ended by itself")
        finally:
            stop.cancel()

    async def stop(self) -> None:
        """Take nothing new, write what was observed, deliver what is under way, close."""
        if self._tasks:
            log.info("stopping")
        await self.scheduler.stop()
        await self.remedying.stop()
        await self.socket.stop()
        await self.listeners.finish()
        await self.http.stop()
        await self.following.stop()
        await self.monitoring.stop()
        await self.notifier.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._resources.aclose()
        if self._tasks:
            log.info("stopped")

    def troubles(self) -> list[str]:
        """What Tocsin itself cannot do at present."""
        found = {
            "The database cannot be written": self.monitoring.trouble,
            "Messages cannot be delivered": self.notifier.trouble,
            "Slack is not connected": self.socket.trouble,
            "A run log cannot be read": self.following.trouble,
        }
        told = [f"{what}: {reason}" for what, reason in found.items() if reason is not None]
        return told + [
            f"A setting changed at run time has no effect: {path}: {why}"
            for path, why in self.present.refused.items()
        ]

    async def health(self) -> Mapping[str, str]:
        """The state of each part: `ok`, or what is wrong with it."""
        parts: dict[str, Any] = {
            "database": self.monitoring.trouble,
            "delivery": self.notifier.trouble,
            "slack": self.socket.trouble,
            "run_logs": self.following.trouble,
        }
        try:
            async with self.database.snapshot() as connection:
                await alerts.count_open(connection)
        except (DatabaseError, OSError) as error:
            parts["database"] = str(getattr(error, "orig", None) or error)
        return {name: reason or "ok" for name, reason in parts.items()}

    async def _check_itself(self) -> None:
        await self._emergency.tell(self.monitoring.trouble)
