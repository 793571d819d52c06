"""The commands."""

from __future__ import annotations

import asyncio
import difflib
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta
from json import dumps
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import structlog
import typer

import bot
from bot import failpoint
from bot.app import Tocsin
from bot.blocks.thresholds import words
from bot.checking import check_now, exit_code
from bot.config import ConfigInvalid, Settings, describe, load, not_yet, warnings
from bot.demo.play import DemoFailed, play
from bot.domain.advice import as_yaml
from bot.domain.clock import system_clock
from bot.execution.command import main as run_job
from bot.logs import configure_logs
from bot.present import Present, describe_overrides
from bot.progress import progress_table
from bot.reporting import Reporting
from bot.reports.sla import as_csv
from bot.reports.thresholds import as_json
from bot.sla_table import print_sla
from handlers.http.server import AddressUnusable
from handlers.slack.asking import NotUnderstood, parse_month
from handlers.slack.manifest import create_app_link, manifest_yaml
from storage import overrides as stored_overrides
from storage.database import Database, DatabaseError, DatabaseUnusable
from storage.schema import upgrade

log = structlog.get_logger(__name__)
T = TypeVar("T")

INVALID = 2
_DEMO_PORT = 8888

app = typer.Typer(
    name="tocsin",
    help="A Slack-first monitoring bot.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
db = typer.Typer(name="db", help="The database.", no_args_is_help=True)
app.add_typer(db)
report = typer.Typer(name="report", help="Reports, printed.", no_args_is_help=True)
app.add_typer(report)

ConfigFile = Annotated[
    Path, typer.Option("-c", "--config", help="The configuration.", envvar="TOCSIN_CONFIG")
]
_DEFAULT_FILE = Path("tocsin.yml")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tocsin {bot.__version__}")
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of every command."""


@app.command()
def run(
    config: ConfigFile = _DEFAULT_FILE,
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Run the bot until it is told to stop (SIGTERM or Ctrl-C)."""
    settings = _settings(config)
    configure_logs(log_level.upper(), secrets=settings.document.secrets)
    for warning in (*warnings(settings), *not_yet(settings)):
        log.warning("configuration", place=str(warning))
    failpoint.arm(os.environ)
    try:
        asyncio.run(_run(settings))
    except DatabaseUnusable as error:
        _fail(str(error))
    except AddressUnusable as error:
        _fail(f"{error}; change http.bind in {config}")


async def _run(settings: Settings) -> None:
    tocsin = Tocsin(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tocsin.request_stop)
    try:
        await tocsin.start()
        await tocsin.run()
    finally:
        await tocsin.stop()


@app.command()
def validate(config: ConfigFile = _DEFAULT_FILE) -> None:
    """Check the configuration: every mistake with its line; exit 2 when there is one."""
    settings = _settings(config)
    found = (*warnings(settings), *not_yet(settings))
    if found:
        typer.echo(describe(found))
    typer.echo(
        f"{config}: ok, {len(settings.checks)} checks, {len(settings.jobs)} jobs, {len(settings.alerts)} rules"
        + (f", {len(found)} warnings" if found else "")
    )


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="The checks to run; all without names.")] = None,
    config: ConfigFile = _DEFAULT_FILE,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Run checks once, now: exit 0 ok, 1 warning, 2 critical, 3 unknown."""
    settings = _settings(config, tokens_needed=False)
    configure_logs("ERROR")
    wanted = list(names or settings.checks)
    for name in wanted:
        if name not in settings.checks:
            near = difflib.get_close_matches(name, settings.checks, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(settings.checks)}"
            _fail(f'{config}: there is no check "{name}"; {hint}', INVALID)
    if not wanted and not json:
        typer.echo(f"{config}: there are no checks to run; jobs are heard of when they report")
        return
    with progress_table(wanted, quiet=json) as done:
        checked = asyncio.run(check_now(settings, wanted, system_clock, done))
    if json:
        typer.echo(dumps([item.as_json() for item in checked], ensure_ascii=False, indent=2))
    raise typer.Exit(exit_code(checked))


@app.command(
    "exec",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def execute(context: typer.Context) -> None:
    """Run a job under its lock and time limit, and report how it went."""
    raise typer.Exit(run_job(context.args, os.environ))


@app.command()
def manifest(
    prefix: Annotated[str, typer.Option(help="The first word of the slash commands.")] = "tocsin",
    link: Annotated[
        bool, typer.Option("--link", help="Print the address that creates the app in Slack.")
    ] = False,
) -> None:
    """Print the Slack app's manifest."""
    typer.echo(create_app_link(prefix) if link else manifest_yaml(prefix), nl=link)


@app.command()
def demo(
    port: Annotated[
        int | None, typer.Option(help="The page's port, 0 for any; 8888 or any unless given.")
    ] = None,
) -> None:
    """A local workspace in the browser, the bot, and a shop to break: no account needed."""

    def say(address: str) -> None:
        typer.echo(f"Open {address}  (Ctrl-C ends it)")

    try:
        asyncio.run(play(_demo_port() if port is None else port, say))
    except DemoFailed as error:
        _fail(str(error))
    except OSError as error:
        _fail(
            f"cannot listen on port {port}: {error.strerror or error}; choose another with --port, or 0 for any"
        )
    except KeyboardInterrupt:
        pass


@app.command()
def thresholds(
    config: ConfigFile = _DEFAULT_FILE,
    days: Annotated[int, typer.Option(min=1, max=4000, help="How many days to judge by.")] = 30,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Say which thresholds the past speaks for, and print them to paste into the file."""
    settings = _settings(config, tokens_needed=False)
    found = _read(config, settings, lambda reporting: reporting.thresholds(timedelta(days=days)))
    if json:
        typer.echo(dumps([as_json(advice) for advice in found], ensure_ascii=False, indent=2))
        return
    for advice in found:
        typer.echo(f"{advice.about.check}.{advice.about.field}: {words(advice)}")
    typer.echo(
        f"\n{as_yaml(found)}" if as_yaml(found) else "" if found else f"{config}: no check has a threshold"
    )


@report.command("sla")
def report_sla(
    config: ConfigFile = _DEFAULT_FILE,
    month: Annotated[str, typer.Option(help="The month, such as 2026-10; the last one unless given.")] = "",
    csv: Annotated[
        Path | None, typer.Option(help="Write it as CSV into this file, or to standard output for -.")
    ] = None,
) -> None:
    """The objectives of `reports.sla` against what was reached in a month."""
    settings = _settings(config, tokens_needed=False)
    if settings.reports.sla is None:
        _fail(f"{config}: there are no objectives under reports.sla", INVALID)
    now = system_clock()
    try:
        wanted = parse_month(month, now, settings.timezone)
    except NotUnderstood as error:
        _fail(f"--month: {error}", INVALID)
    found = _read(config, settings, lambda reporting: reporting.measuring.sla(wanted, now))
    if csv is None:
        print_sla(found)
    elif str(csv) == "-":
        typer.echo(as_csv(found), nl=False)
    else:
        try:
            csv.write_text(as_csv(found), encoding="utf-8", newline="")
        except OSError as error:
            _fail(f"{csv} cannot be written: {error.strerror or error}")
        typer.echo(f"{csv}: the SLA of {found.month}, {len(found.objectives)} objectives")


def _read(config: Path, settings: Settings, ask: Callable[[Reporting], Awaitable[T]]) -> T:
    """What the database tells, or why it cannot be read and exit 1."""

    async def read() -> T:
        database = Database(settings.database)
        try:
            return await ask(
                Reporting(database=database, present=Present.of(settings), clock=system_clock, troubles=list)
            )
        finally:
            await database.close()

    try:
        return asyncio.run(read())
    except (DatabaseError, DatabaseUnusable, OSError) as error:
        _fail(
            f"the database cannot be read: {_first_line(error)}; has `tocsin run` been started with {config}?"
        )


@app.command()
def overrides(
    config: ConfigFile = _DEFAULT_FILE,
    yaml: Annotated[bool, typer.Option("--yaml", help="Print YAML to put back into the file.")] = False,
) -> None:
    """List what was changed at run time, beside what the file says."""
    settings = _settings(config, tokens_needed=False)
    present = Present.of(settings)

    async def read() -> None:
        database = Database(settings.database)
        try:
            async with database.snapshot() as connection:
                present.hold(await stored_overrides.in_force(connection))
        finally:
            await database.close()

    if not _is_there(settings.database):
        _fail(f"there is no database {settings.database} yet; has `tocsin run` been started with {config}?")
    try:
        asyncio.run(read())
    except (DatabaseError, DatabaseUnusable, OSError) as error:
        _fail(
            f"the database cannot be read: {_first_line(error)}; has `tocsin run` been started with {config}?"
        )
    typer.echo(describe_overrides(present, as_fragment=yaml), nl=not yaml)


def _is_there(address: str) -> bool:
    """Whether reading the database would not create it."""
    path = Database(address).url.database
    return not address.startswith("sqlite") or path in (None, "", ":memory:") or Path(str(path)).exists()


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]


@db.command("upgrade")
def db_upgrade(config: ConfigFile = _DEFAULT_FILE) -> None:
    """Create the tables or bring them to this version."""
    settings = _settings(config)

    async def work() -> None:
        database = Database(settings.database)
        try:
            await upgrade(database)
        finally:
            await database.close()

    try:
        asyncio.run(work())
    except DatabaseUnusable as error:
        _fail(str(error))
    typer.echo("the database is at this version's schema")


def _demo_port() -> int:
    """The port people remember, or any when something listens there."""
    with socket.socket() as probe:
        return 0 if probe.connect_ex(("127.0.0.1", _DEMO_PORT)) == 0 else _DEMO_PORT


def _settings(config: Path, *, tokens_needed: bool = True) -> Settings:
    """The settings, or every mistake and exit 2."""
    try:
        return load(config, os.environ, tokens_needed=tokens_needed)
    except ConfigInvalid as error:
        _fail(describe(error.mistakes), INVALID)


def _fail(message: str, code: int = 1) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
