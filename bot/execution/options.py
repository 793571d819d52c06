"""What `tocsin exec` is told: its arguments, and the environment where they are silent."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

DEFAULT_URL = "http://127.0.0.1:8787"
_LONGEST_NAME = 200
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_USAGE = """tocsin exec JOB [options] -- COMMAND [ARGUMENT ...]
       tocsin exec --flush [--spool DIR] [--url URL]"""


class Options(argparse.Namespace):
    """The arguments, complete and checked."""

    job: str
    command: list[str]
    timeout: timedelta | None
    grace: timedelta
    lock: bool
    lock_dir: str
    log: str | None
    spool: str
    fields_fd: int | None
    fields_file: str | None
    url: str
    token: str
    flush: bool


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """The options. Raises SystemExit: 2 with the mistake on standard error, 0 after `--help`."""
    own, dashes, command = _split(argv)
    parser = _parser(environ)
    options = parser.parse_args(own, namespace=Options())
    options.token = environ.get("TOCSIN_TOKEN", "")
    options.command = command
    if options.flush:
        if command or options.job:
            parser.error("--flush runs no command: give neither JOB nor COMMAND")
        return options
    options.job = (options.job or "").strip()
    if not options.job:
        parser.error("name the job")
    if len(options.job) > _LONGEST_NAME or not options.job.isprintable():
        parser.error(f"the job's name must be at most {_LONGEST_NAME} printable characters")
    if not dashes or not command or not command[0]:
        parser.error("write -- and the command after the options")
    return options


def parse_duration(text: str) -> timedelta:
    """`30s`, `5m`, `1h30m`: what `checks.options` takes, without what that imports. Raises ValueError."""
    found = _DURATION.findall(text.replace(" ", ""))
    if not found or "".join(number + unit for number, unit in found) != text.replace(" ", ""):
        raise ValueError(text)
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in found))


def state_folder(environ: Mapping[str, str], name: str) -> str:
    """Where this user's locks and spool are unless said otherwise."""
    if os.geteuid() == 0:
        return f"/var/lib/tocsin/{name}"
    home = environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(home, "tocsin", name)


def spool_folder(environ: Mapping[str, str]) -> str:
    """Where what the bot has not taken yet waits unless said otherwise."""
    return environ.get("TOCSIN_SPOOL") or state_folder(environ, "spool")


def _split(argv: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    given = list(argv)
    if "--" not in given:
        return given, False, []
    at = given.index("--")
    return given[:at], True, given[at + 1 :]


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a duration; write one such as 30s, 5m or 1h30m"
        ) from None


def _positive(text: str) -> timedelta:
    found = _duration(text)
    if not found:
        raise argparse.ArgumentTypeError("a time limit is longer than nothing")
    return found


def _descriptor(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 3 <= int(text) <= 255:
        raise argparse.ArgumentTypeError(f"{text!r} is not a file descriptor from 3 to 255")
    return int(text)


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is not an address such as {DEFAULT_URL}")
    return text


def _fields_path(text: str) -> str:
    path = os.path.abspath(text)
    if os.path.exists(path) and not os.path.isfile(path):
        raise argparse.ArgumentTypeError(f"{text!r} is not a file")
    return path


def _parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tocsin exec",
        usage=_USAGE,
        description="Run a job under its lock and time limit, and report the run.",
        epilog="The run is reported to TOCSIN_URL with TOCSIN_TOKEN. Exit code: the command's; 124 after the "
        "time limit, 1 when the job is running already, 2 for a mistake in the arguments.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("job", nargs="?", metavar="JOB", help="the job's name")
    add("--timeout", type=_positive, help="kill the job, and all it started, after this long: 30s, 5m, 1h30m")
    add("--grace", type=_duration, default=timedelta(seconds=10), help="from TERM to KILL (10s)")
    add(
        "--lock",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="refuse a second start while it runs (the default)",
    )
    add(
        "--lock-dir",
        metavar="DIR",
        default=environ.get("TOCSIN_LOCK_DIR") or state_folder(environ, "locks"),
        help="where the locks are (TOCSIN_LOCK_DIR)",
    )
    add("--log", metavar="FILE", help="append a line a run to this file")
    add(
        "--spool",
        metavar="DIR",
        default=spool_folder(environ),
        help="where runs wait that the bot has not taken yet (TOCSIN_SPOOL)",
    )
    add(
        "--fields-fd",
        metavar="N",
        nargs="?",
        type=_descriptor,
        const=3,
        help="take fields of the run, JSON objects a line, from this descriptor of the command (3)",
    )
    add(
        "--fields-file",
        metavar="FILE",
        type=_fields_path,
        help="take them from this file, which is emptied before the command starts",
    )
    url = environ.get("TOCSIN_URL") or DEFAULT_URL
    add("--url", type=_url, default=argparse.SUPPRESS, help=f"the bot's address (TOCSIN_URL, {DEFAULT_URL})")
    add("--flush", action="store_true", help="deliver what waits in the spool, and run nothing")
    parser.set_defaults(url=url)
    return parser
