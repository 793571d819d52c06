"""The configurations of the examples follow their logs as they are written."""

from pathlib import Path

from bot.config import parse
from bot.following.following import Following
from storage.database import Database
from tests.following.reading import Reading, line
from tests.following.test_rows import TABLE, App
from tests.jobs.hearing import ENVIRON, hearing

EXAMPLES = Path(__file__).parents[2] / "examples"


async def heard(database: Database, example: str, **environ: str) -> list[tuple[str, str]]:
    """The job and status of each run in the logs of an example."""
    settings = parse((EXAMPLES / example).read_bytes(), example, {**ENVIRON, **environ})
    async with hearing(database, "") as ear:
        following = Following(
            settings=settings,
            database=database,
            monitoring=ear.monitoring,
            clock=ear.clock,
            wake=lambda: None,
        )
        told = Reading(ear, following)
        try:
            await told.read()
            assert following.trouble is None
            return [(run.job, run.status.value) for run in await told.runs()]
        finally:
            await following.stop()


async def test_fleetyield_hears_its_file(database: Database, tmp_path: Path) -> None:
    log = tmp_path / "runs.jsonl"
    log.write_text(
        line(0, job_name="parse_reservations", status="TIMEOUT", exit_code=124, error_codes=["CSV_INVALID"])
        + line(1, job_name="pms_write")
    )
    assert await heard(database, "fleetyield.yml", FLEETYIELD_LOG=str(log)) == [
        ("parse_reservations", "TIMEOUT"),
        ("pms_write", "SUCCESS"),
    ]


async def test_keto_meals_hears_its_audit_log(database: Database, tmp_path: Path) -> None:
    app = App(tmp_path / "app.db")
    app.execute(TABLE)
    app.audit("CLEANUP_COMPLETED", "quiz_response", 1, records_processed=9, duration_seconds=60)
    app.audit("CLEANUP_FAILED", "blacklist", 2)
    app.close()
    assert await heard(database, "keto-meals.yml", APP_DATABASE_URL=f"sqlite:///{app.path}") == [
        ("cleanup_quiz_responses", "SUCCESS"),
        ("cleanup_blacklist", "ERROR"),
    ]
