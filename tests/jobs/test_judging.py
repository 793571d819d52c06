"""What is told of jobs, and when: by a real database and a clock that is moved."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml

from bot.domain.alert import EventKind
from bot.domain.severity import Severity
from checks.result import State
from storage import alerts, open_runs
from storage.database import Database
from tests.jobs.hearing import START, Ear, hearing

NIGHTLY = 'jobs: {backup: {schedule: "0 3 * * *", grace: 5m}}'
BUDGET = 'jobs: {cleanup_pdfs: {schedule: "0 3 * * *", budget: 7200s, grace: 5m}}'
EXAMPLES = Path(__file__).parents[2] / "examples"


def jobs_of(system: str) -> str:
    """The jobs and rules of an example, whatever else it has."""
    whole = yaml.safe_load((EXAMPLES / f"{system}.yml").read_text())
    kept = {key: whole[key] for key in ("timezone", "people", "jobs", "alerts") if key in whole}
    return yaml.safe_dump(kept, sort_keys=False)


async def severity(ear: Ear, title: str) -> Severity:
    return (await ear.alerts())[title].severity


# Late


async def test_a_job_that_does_not_start_is_told_within_its_grace_and_resolves_when_it_reports(
    database: Database,
) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("03:04")
        assert await ear.titles() == []

        await ear.at("03:04:55")

        title = "backup has not started: due 03:00, 5 min grace"
        (alert,) = (await ear.alerts()).values()
        assert alert.firing.title == title
        assert alert.severity is Severity.CRITICAL
        assert alert.opened_at - alert.opened_at.replace(minute=0, second=0) < timedelta(minutes=5)
        assert "Nothing was ever heard of it." in alert.firing.reason
        assert (await ear.standing("backup")).state is State.CRITICAL

        await ear.after(minutes=6)
        await ear.run("backup", seconds=60)
        await ear.after(seconds=5)
        assert await ear.titles() == []
        recovered = (await ear.history(alert))[-1]
        assert (recovered.kind, recovered.text) == (EventKind.RECOVERED, "last heard of at 03:10")
        assert (await ear.standing("backup")).state is State.OK
        assert await ear.ever() == 1


async def test_a_start_is_a_sign_of_life_too(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("03:02")
        await ear.start("backup")
        await ear.at("03:30")
        assert await ear.titles() == []


async def test_a_job_may_start_a_little_early_by_its_own_clock(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("03:01")
        await ear.run("backup", ago=90)
        await ear.at("03:30")
        assert await ear.titles() == []


async def test_yesterdays_run_does_not_count_for_today(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("03:01")
        await ear.run("backup", seconds=40)
        await ear.at(START.replace(hour=3, minute=5) + timedelta(days=1))
        assert await ear.titles() == ["backup has not reported: due 03:00, 5 min grace"]


async def test_a_failed_run_has_started(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("03:01")
        await ear.run("backup", "ERROR", seconds=40)
        await ear.at("03:30")
        assert await ear.titles() == ["backup failed"]


async def test_the_watch_never_resolves_a_failure_nor_a_run_the_watchs_alert_by_failing(
    database: Database,
) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("03:01")
        await ear.run("backup", "ERROR", seconds=40)
        day = timedelta(days=1)
        await ear.at(START.replace(hour=3, minute=5) + day)
        late = "backup has not reported: due 03:00, 5 min grace"
        assert await ear.titles() == ["backup failed", late]

        await ear.run("backup", "ERROR", seconds=1, ago=3600)  # of before it was due
        await ear.look()
        assert await ear.titles() == ["backup failed", late]

        await ear.after(minutes=1)
        await ear.run("backup", "ERROR", seconds=1)
        await ear.look()
        assert await ear.titles() == ["backup failed"]

        await ear.after(minutes=1)
        await ear.run("backup", seconds=1)
        await ear.look()
        assert await ear.titles() == []


async def test_a_job_that_tells_only_its_end_is_given_the_time_it_takes(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("04:00")
        await ear.run("backup", seconds=3600)  # its lateness until now was told, once
        await ear.look()
        day = timedelta(days=1)
        await ear.at(START.replace(hour=4, minute=15) + day)
        assert await ear.titles() == []
        await ear.at(START.replace(hour=4, minute=21) + day)
        assert await ear.titles() == ["backup has not reported: due 03:00, 5 min grace"]


async def test_a_job_that_announces_its_starts_is_late_by_its_grace_however_long_it_takes(
    database: Database,
) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("03:00")
        await ear.start("backup")
        await ear.at("04:00")
        await ear.run("backup", seconds=3600)
        await ear.at(START.replace(hour=3, minute=5) + timedelta(days=1))
        assert await ear.titles() == ["backup has not started: due 03:00, 5 min grace"]


async def test_a_job_without_schedule_is_late_when_it_is_not_heard_of(database: Database) -> None:
    async with hearing(database, "jobs: {beat: {every: 1h, grace: 5m}}") as ear:
        await ear.at("01:00")
        await ear.run("beat")
        await ear.at("02:04")
        assert await ear.titles() == []
        await ear.at("02:05")
        assert await ear.titles() == [
            "beat has not been heard of for 1 h 5 min: expected every 1 h, 5 min grace"
        ]
        await ear.run("beat")
        await ear.look()
        assert await ear.titles() == []


async def test_what_was_due_before_the_job_was_known_is_not_late(database: Database) -> None:
    async with hearing(database, NIGHTLY, START.replace(hour=12)) as ear:
        await ear.at("23:00")
        assert await ear.titles() == []


async def test_a_changed_schedule_is_not_late_by_its_new_times_of_the_past(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("03:01")
        await ear.run("backup", seconds=40)
    now = START.replace(hour=12)
    async with hearing(database, NIGHTLY.replace("0 3", "0 11"), now) as ear:
        await ear.at("23:00")
        assert await ear.titles() == []


async def test_after_it_was_away_it_waits_one_grace_before_it_says_late(database: Database) -> None:
    async with hearing(database, NIGHTLY):
        pass
    async with hearing(database, NIGHTLY, START.replace(hour=3, minute=20)) as ear:
        await ear.at("03:24:55")
        assert await ear.titles() == []
        await ear.at("03:25")
        (alert,) = (await ear.alerts()).values()
        assert alert.firing.title == "backup has not started: due 03:00, 5 min grace"
        assert "Tocsin was not running when it was due" in alert.firing.reason


async def test_a_report_that_comes_while_it_waits_is_enough(database: Database) -> None:
    async with hearing(database, NIGHTLY):
        pass
    async with hearing(database, NIGHTLY, START.replace(hour=3, minute=20)) as ear:
        await ear.run("backup", seconds=60, ago=18 * 60)  # read from a log
        await ear.at("03:40")
        assert await ear.titles() == []


async def test_a_late_job_stays_told_over_a_restart_and_clears_after_it(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("03:06")
        assert len(await ear.titles()) == 1
    async with hearing(database, NIGHTLY, START.replace(hour=3, minute=10)) as ear:
        await ear.at("03:12")
        assert len(await ear.titles()) == 1  # it does not know better yet
        await ear.run("backup")
        await ear.look()
        assert await ear.titles() == []
        assert await ear.ever() == 1


async def test_a_job_taken_out_of_the_file_is_late_no_more(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("03:06")
    async with hearing(database, "jobs: {}", START.replace(hour=4)) as ear:
        await ear.look()
        assert await ear.titles() == []


async def test_a_late_alert_that_somebody_resolved_stays_so_for_its_window(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("03:06")
        (alert,) = (await ear.alerts()).values()
        await resolve(ear, alert.id)
        await ear.at("03:30")
        assert await ear.titles() == []
        await ear.at("04:07")
        assert await ear.titles() == ["backup has not started: due 03:00, 5 min grace"]
        assert await ear.ever() == 1


async def resolve(ear: Ear, number: int) -> None:
    from bot.alerting import Alerting  # the use case that a button reaches
    from bot.announcing import Announcer
    from bot.silence_book import SilenceBook
    from bot.silencing import Silencing

    announcer = Announcer(database=ear.database, channel="#ops")
    alerting = Alerting(
        database=ear.database,
        announcer=announcer,
        silencing=Silencing(
            database=ear.database,
            announcer=announcer,
            book=SilenceBook(database=ear.database),
            clock=ear.clock,
            wake=lambda: None,
        ),
        clock=ear.clock,
        wake=lambda: None,
    )
    await alerting.resolve(number, "U0ALEX")


async def test_a_job_that_stays_late_is_seen_once_a_minute(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("03:05")
        for _ in range(60):
            await ear.after(seconds=5)
        (alert,) = (await ear.alerts()).values()
        assert alert.count == 6


async def test_a_jobs_own_words_go_into_its_alerts(database: Database) -> None:
    config = """
people: {lead: U0LEAD}
jobs:
  backup: {schedule: "0 3 * * *", severity: high, mention: "@lead", channel: "#night", runbook: https://x.example/b}
"""
    async with hearing(database, config) as ear:
        await ear.at("03:06")
        (alert,) = (await ear.alerts()).values()
        assert alert.severity is Severity.HIGH
        assert alert.firing.mention == "lead"
        assert alert.firing.channel == "#night"
        assert alert.firing.runbook == "https://x.example/b"


# Running


async def test_a_run_still_going_is_told_at_80_percent_and_at_100_percent_of_its_budget(
    database: Database,
) -> None:
    async with hearing(database, BUDGET) as ear:
        await ear.at("03:00")
        await ear.start("cleanup_pdfs")
        await ear.at("04:35:55")
        assert await ear.titles() == []

        await ear.at("04:36")
        title = "cleanup_pdfs has been running for 1 h 36 min, 80% of its budget of 2 h"
        assert await ear.titles() == [title]
        assert await severity(ear, title) is Severity.MEDIUM

        await ear.at("05:00")
        title = "cleanup_pdfs has been running for 2 h, 100% of its budget of 2 h"
        assert await ear.titles() == [title]
        assert await severity(ear, title) is Severity.CRITICAL

        await ear.at("05:12")
        await ear.run("cleanup_pdfs", seconds=7920)
        await ear.after(seconds=5)
        title = "cleanup_pdfs took 2 h 12 min, 110% of its budget of 2 h"
        (alert,) = (await ear.alerts()).values()
        assert alert.firing.title == title  # the same alert: it took over
        kinds = [event.kind for event in await ear.history(alert)]
        assert kinds == [EventKind.FIRED, EventKind.SEVERITY]

        await ear.at(START.replace(hour=3) + timedelta(days=1))
        await ear.start("cleanup_pdfs")
        await ear.at("03:50")
        assert len(await ear.titles()) == 1
        await ear.run("cleanup_pdfs", seconds=3000)
        await ear.look()
        assert await ear.titles() == []
        assert await ear.ever() == 1


async def test_the_next_run_under_its_budget_does_not_resolve_it_before_it_ends(
    database: Database,
) -> None:
    async with hearing(database, BUDGET) as ear:
        await ear.at("03:00")
        await ear.start("cleanup_pdfs")
        await ear.at("04:40")
        await ear.run("cleanup_pdfs", seconds=6000)
        assert len(await ear.titles()) == 1
        await ear.start("cleanup_pdfs")
        await ear.after(minutes=1)
        assert await ear.titles() == ["cleanup_pdfs took 1 h 40 min, 83% of its budget of 2 h"]


async def test_utilisation_over_80_percent_three_runs_in_a_row_escalates(database: Database) -> None:
    async with hearing(database, BUDGET) as ear:
        seen = []
        for day, seconds in enumerate((5800, 5900, 6000, 6100, 1000, 5800)):
            await ear.at(START.replace(hour=5) + timedelta(days=day))
            await ear.run("cleanup_pdfs", seconds=seconds)
            found = [a.severity for a in (await ear.alerts()).values() if a.firing.rule == "Job over budget"]
            seen.append(found[0] if found else None)
        medium, high = Severity.MEDIUM, Severity.HIGH
        assert seen == [medium, medium, high, high, None, medium]


async def test_the_run_going_on_counts_for_the_escalation(database: Database) -> None:
    async with hearing(database, BUDGET) as ear:
        for day in range(2):
            await ear.at(START.replace(hour=5) + timedelta(days=day))
            await ear.run("cleanup_pdfs", seconds=5800)
        await ear.at(START.replace(hour=3) + timedelta(days=2))
        await ear.start("cleanup_pdfs")
        await ear.at("04:37")
        (alert,) = (await ear.alerts()).values()
        assert alert.severity is Severity.HIGH
        assert "3 runs in a row" in alert.firing.reason


async def test_a_run_over_its_time_limit_is_told_while_it_runs(database: Database) -> None:
    config = 'jobs: {pms_write: {schedule: "0 7 * * *", timeout: 300s}}'
    async with hearing(database, config) as ear:
        await ear.at("07:00")
        await ear.start("pms_write", "a")
        await ear.at("07:05:25")
        assert await ear.titles() == []
        await ear.at("07:05:30")
        title = "pms_write has been running for 5 min 30 s, over its time limit of 5 min"
        assert await ear.titles() == [title]
        assert await severity(ear, title) is Severity.CRITICAL

        await ear.at("07:06")
        await ear.run("pms_write", "TIMEOUT", run_id="a", seconds=360)
        await ear.look()
        assert await ear.titles() == ["pms_write exceeded its time limit"]


async def test_a_run_that_never_ends_is_told_and_forgotten_when_the_job_works_again(
    database: Database,
) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("03:00")
        await ear.start("backup", "a")
        await ear.at(START.replace(hour=3, minute=0) + timedelta(days=1))
        assert await ear.titles() == ["backup never finished: started Mon 3 Mar 03:00, nothing heard since"]
        await ear.start("backup", "b")
        await ear.after(seconds=5)
        assert await ear.titles() == []
        await ear.after(seconds=60)
        await ear.run("backup", run_id="b", seconds=65)
        await ear.look()
        assert await ear.titles() == []
        async with database.snapshot() as connection:
            assert await open_runs.list_all(connection) == []


async def test_a_lost_run_does_not_hide_that_the_next_does_not_start(database: Database) -> None:
    config = 'jobs: {backup: {schedule: "0 3 * * *", timeout: 1h}}'
    async with hearing(database, config) as ear:
        await ear.at("03:00")
        await ear.start("backup")
        await ear.at(START.replace(hour=3, minute=6) + timedelta(days=1))
        assert len(await ear.titles()) == 2


async def test_an_announced_run_of_an_unknown_job_that_never_ends_is_told(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.start("mystery")
        await ear.at("02:59")
        await ear.run("backup", seconds=1)
        await ear.at(START + timedelta(days=1))
        assert "mystery never finished: started Mon 3 Mar 00:00, nothing heard since" in await ear.titles()


async def test_runs_that_overlap_are_told(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.at("03:00")
        await ear.start("backup", "a")
        await ear.at("03:10")
        await ear.start("backup", "b")
        await ear.look()
        assert await ear.titles() == ["backup runs more than once at the same time"]

        await ear.run("backup", run_id="a", seconds=600)
        await ear.after(minutes=5)
        await ear.run("backup", run_id="b", seconds=300)
        await ear.look()
        assert await ear.titles() == ["backup runs more than once at the same time"]  # it did

        await ear.start("backup", "c")
        await ear.after(minutes=5)
        await ear.run("backup", run_id="c", seconds=300)
        assert await ear.titles() == []


async def test_an_overlap_that_nobody_looked_at_is_told_by_the_runs(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.start("backup", "a")
        await ear.start("backup", "b")
        await ear.run("backup", run_id="b", seconds=1)
        assert await ear.titles() == ["backup runs more than once at the same time"]


async def test_a_start_told_twice_is_one(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        assert await ear.start("backup", "a")
        assert not await ear.start("backup", "a")
        assert await ear.start("backup")
        assert not await ear.start("backup")
        await ear.run("backup", run_id="a")
        assert not await ear.start("backup", "a")  # its end overtook it
        async with database.snapshot() as connection:
            assert [run.rid for run in await open_runs.list_all(connection)] == [None]


# Runs and those before them


async def test_three_failures_in_a_row_are_critical(database: Database) -> None:
    config = 'jobs: {sync: {schedule: "0 * * * *", consecutive_failures: 3}}'
    async with hearing(database, config) as ear:
        for hour in (1, 2, 3):
            assert "sync failed 3 times in a row" not in await ear.titles()
            await ear.at(f"0{hour}:01")
            await ear.run("sync", "ERROR", seconds=20)
        assert await ear.titles() == ["sync failed", "sync failed 3 times in a row"]
        assert await severity(ear, "sync failed 3 times in a row") is Severity.CRITICAL
        await ear.at("04:01")
        await ear.run("sync", seconds=20)
        await ear.look()
        assert await ear.titles() == []


async def test_a_refused_start_is_no_failure_of_the_job_and_several_are_told(database: Database) -> None:
    config = 'jobs: {sync: {schedule: "0 * * * *", consecutive_failures: 3, success_rate: {below: 95%}}}'
    async with hearing(database, config) as ear:
        await ear.at("01:01")
        await ear.run("sync", seconds=20)
        for hour in (2, 3, 4):
            await ear.at(f"0{hour}:01")
            await ear.run("sync", "ERROR", seconds=0, error="duplicate_run", lock_age_seconds=3600)
        assert await ear.titles() == ["sync failed", "sync was refused its lock 3 times in 24 h"]
        fields = await ear.fields("sync")
        assert (fields["refused_locks_24h"], fields["consecutive_failures"]) == (3, 0)
        assert fields["success_rate_24h"] == 1
        await ear.at("05:01")
        await ear.run("sync", seconds=20)
        assert await ear.titles() == []


async def test_a_success_rate_below_95_percent_over_24_hours_is_critical(database: Database) -> None:
    config = 'jobs: {sync: {schedule: "0 * * * *", success_rate: {below: 95%, over: 24h}}}'
    async with hearing(database, config) as ear:
        await ear.at("01:01")
        await ear.run("sync", "ERROR", seconds=20)
        assert await ear.titles() == ["sync failed"]  # one run is no rate
        for hour in range(2, 20):
            await ear.at(START.replace(hour=hour, minute=1))
            await ear.run("sync", seconds=20)
        assert await ear.titles() == ["sync: only 94.7% of its runs in 24 h succeeded"]
        assert await severity(ear, (await ear.titles())[0]) is Severity.CRITICAL
        await ear.at("20:01")
        await ear.run("sync", seconds=20)
        assert await ear.titles() == []  # 19 of 20
        await ear.at("21:01")
        await ear.run("sync", "ERROR", seconds=20)
        assert len(await ear.titles()) == 2
        await ear.at("22:01")
        await ear.run("sync", seconds=20)
        await ear.at(START.replace(hour=1, minute=2) + timedelta(days=1))  # the first has left the window
        await ear.run("sync", seconds=20)
        rules = {alert.firing.rule for alert in (await ear.alerts()).values()}
        assert "Job success rate" not in rules


async def test_half_of_the_usual_throughput_warns(database: Database) -> None:
    config = """
jobs: {sync: {every: 1d, throughput: {field: records_processed, below: 50% of baseline}}}
"""
    async with hearing(database, config) as ear:
        for day in range(4):
            await ear.at(START.replace(hour=3) + timedelta(days=day))
            await ear.run("sync", seconds=1800, records_processed=1000)
        await ear.at(START.replace(hour=3) + timedelta(days=4))
        await ear.run("sync", seconds=3600, records_processed=1000)
        assert await ear.titles() == []  # exactly half
        await ear.at(START.replace(hour=3) + timedelta(days=5))
        await ear.run("sync", seconds=3600, records_processed=700)
        assert await ear.titles() == ["sync is slow: 700 an hour"]
        assert await severity(ear, "sync is slow: 700 an hour") is Severity.MEDIUM


async def test_a_success_that_came_too_soon_warns(database: Database) -> None:
    config = "jobs: {export: {every: 1d, min_duration: 10s}}"
    async with hearing(database, config) as ear:
        await ear.run("export", "ERROR", seconds=0.2)
        assert await ear.titles() == ["export failed"]
        await ear.after(minutes=1)
        await ear.run("export", seconds=0.2)
        assert await ear.titles() == ["export succeeded suspiciously fast: 0.2 s"]
        await ear.after(minutes=1)
        await ear.run("export", seconds=10)
        assert await ear.titles() == []


async def test_a_job_scheduled_twice_is_told(database: Database) -> None:
    config = 'jobs: {sync: {schedule: "0 * * * *"}}'
    title = "sync runs more often than its schedule says"
    async with hearing(database, config) as ear:
        for hour in range(1, 8):
            await ear.at(f"0{hour}:00:01")
            await ear.run("sync", seconds=2)
            assert await ear.titles() == ([title] if hour > 3 else [])  # without a break
            await ear.after(seconds=1)
            if hour < 7:
                await ear.run("sync", seconds=2)
        assert await severity(ear, title) is Severity.LOW
        await ear.at("08:01")
        await ear.run("sync", seconds=2)
        assert await ear.titles() == []


async def test_a_second_try_or_a_run_by_hand_is_not_too_often(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        for second in range(20):
            await ear.at(f"03:01:{second:02}")
            await ear.run("backup", seconds=1)
        assert await ear.titles() == []
        for second in range(3):
            await ear.at(f"03:02:{second:02}")
            await ear.run("backup", seconds=1)
        assert await ear.titles() == ["backup runs more often than its schedule says"]


async def test_rules_of_the_file_see_what_the_record_tells(database: Database) -> None:
    config = """
jobs: {sync: {schedule: "0 * * * *", budget: 100s}}
alerts:
  - name: Tired
    condition: consecutive_failures >= 2 && success_rate_24h < 0.5 && sla_utilization_percent > 50
    severity: high
    message: "{job_name}: {consecutive_failures} failures, {sla_utilization_percent:.0f}%"
"""
    async with hearing(database, config) as ear:
        for hour in (1, 2):
            await ear.at(f"0{hour}:01")
            await ear.run("sync", "ERROR", seconds=60)
        alert = (await ear.alerts())["Tired: sync"]
        assert alert.firing.message == "sync: 2 failures, 60%"


async def test_rules_of_the_file_are_not_asked_between_runs(database: Database) -> None:
    config = NIGHTLY + "\nalerts: [{name: Bad, condition: state == 'critical', severity: high}]"
    async with hearing(database, config) as ear:
        await ear.at("03:01")
        await ear.run("backup", "ERROR", seconds=1)
        await ear.at(START.replace(hour=3, minute=6) + timedelta(days=1))
        await ear.after(hours=1)
        assert await ear.titles() == [
            "Bad: backup",
            "backup has not reported: due 03:00, 5 min grace",
        ]


# Jobs nobody configured


async def test_a_job_the_configuration_does_not_know_is_accepted_and_told_once(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        assert await ear.run("mystery", seconds=12)
        await ear.run("mystery", seconds=12)
        await ear.start("riddle")
        await ear.run("riddle", seconds=1)
        await ear.run("backup")
        said = await ear.said()
        assert len(said) == 2
        assert "`mystery`, SUCCESS in 12 s" in said[0]
        assert "`riddle`, it has started" in said[1]
        assert (await ear.standing("mystery")).state is State.OK
    async with hearing(database, NIGHTLY, START + timedelta(days=30)) as ear:
        await ear.run("mystery", seconds=12)
        assert len(await ear.said()) == 2


async def test_a_job_taken_out_of_the_file_that_goes_on_is_told(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        await ear.run("backup")
        assert await ear.said() == []
    async with hearing(database, "jobs: {}", START + timedelta(days=1)) as ear:
        await ear.run("backup")
        assert len(await ear.said()) == 1


async def test_names_without_end_do_not_fill_the_channel(database: Database) -> None:
    async with hearing(database, NIGHTLY) as ear:
        for number in range(30):
            await ear.run(f"import-{number}")
        assert len(await ear.said()) == 20


# Whole systems


@pytest.mark.parametrize("job", ["parse_reservations", "competitor_scraper", "agent_voting", "pms_write"])
async def test_no_job_of_fleetyield_fails_to_start_in_silence(database: Database, job: str) -> None:
    due = {
        "competitor_scraper": "04:00",
        "parse_reservations": "06:00",
        "agent_voting": "06:30",
        "pms_write": "07:00",
    }
    hour, minute = map(int, due[job].split(":"))
    at = datetime.combine(START.date(), datetime.min.time(), START.tzinfo) + timedelta(hours=8 + hour)
    at += timedelta(minutes=minute)  # PST is UTC-8
    async with hearing(database, jobs_of("fleetyield")) as ear:
        await ear.at(at - timedelta(minutes=10))
        for other in due.keys() - {job}:
            await ear.run(other, seconds=30)
        await ear.at(at + timedelta(minutes=4))
        for other in due.keys() - {job}:
            await ear.run(other, seconds=30)
        await ear.look()
        assert all(not title.startswith(job) for title in await ear.titles())
        await ear.at(at + timedelta(minutes=4, seconds=55))
        assert f"{job} has not started: due {due[job]}, 5 min grace" in await ear.titles()


async def test_fleetyields_timeout_is_critical_at_once_by_its_own_rule(database: Database) -> None:
    async with hearing(database, jobs_of("fleetyield")) as ear:
        await ear.run("parse_reservations", "TIMEOUT", seconds=300, max_seconds=300)
        (alert,) = (await ear.alerts()).values()
        assert alert.firing.rule == "Job Timeout"
        assert alert.severity is Severity.CRITICAL


async def test_a_fleetyield_run_that_is_killed_without_a_word_is_told(database: Database) -> None:
    async with hearing(database, jobs_of("fleetyield"), START.replace(hour=13)) as ear:
        await ear.at("14:00")
        await ear.start("parse_reservations")
        await ear.at("14:05:30")
        assert await ear.titles() == [
            "parse_reservations has been running for 5 min 30 s, over its time limit of 5 min"
        ]


async def test_keto_meals_is_warned_at_80_percent_and_critical_at_100(database: Database) -> None:
    budgets = {
        "cleanup_quiz_responses": 3600,
        "cleanup_pdfs": 7200,
        "cleanup_magic_links": 300,
        "cleanup_blacklist": 600,
    }
    async with hearing(database, jobs_of("keto-meals")) as ear:
        for job, budget in budgets.items():
            for share, expected in ((0.79, None), (0.8, Severity.MEDIUM), (1.0, Severity.CRITICAL)):
                await ear.run(job, seconds=budget * share)
                found = [a for a in (await ear.alerts()).values() if a.firing.rule == "Job over budget"]
                assert [a.severity for a in found if a.firing.resource == job] == (
                    [expected] if expected else []
                )
        (alert, *_) = [a for a in (await ear.alerts()).values() if a.firing.resource == "cleanup_pdfs"]
        assert alert.firing.runbook == "https://runbooks.example.com/sla-breach"


async def test_keto_meals_jobs_that_are_read_every_15_minutes_are_late_once_at_most(
    database: Database,
) -> None:
    config = (
        jobs_of("keto-meals")
        + "\nrun_logs: [{sql: 'sqlite:///x.db', every: 15m, query: 'SELECT 1 AS cursor'}]"
    )
    async with hearing(database, config) as ear:
        for step in range(24 * 4):
            await ear.at(START + timedelta(minutes=15 * (step + 1)))
            if step % 2:  # due at :00 and :30, done in a minute, read a quarter of an hour later
                await ear.run("cleanup_magic_links", seconds=60, ago=14 * 60, records_processed=10)
            else:
                await ear.look()
        async with database.snapshot() as connection:
            found = await alerts.opened_between(connection, START, START + timedelta(days=2))
        told = [alert for alert in found if alert.firing.resource == "cleanup_magic_links"]
        assert len(told) <= 1
