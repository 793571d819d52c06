"""What `tocsin exec` is told: its arguments, and the environment where they are silent.

Read by hand: argparse takes longer to import than everything else here together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

DEFAULT_URL = "http://127.0.0.1:8787"
USAGE = f"""\
usage: tocsin exec JOB [options] -- COMMAND [ARGUMENT ...]
       tocsin exec --flush [--spool DIR] [--url URL]

Run a job under its lock and time limit, write its run down and report it.

  --timeout 5m         kill the job, and all that it started, after this long
  --grace 10s          from TERM to KILL, after the time limit or a signal
  --no-lock            allow several starts at once
  --lock-dir DIR       where the locks are (TOCSIN_LOCK_DIR)
  --log FILE           append a line a run to this file
  --spool DIR          where runs wait until the bot has taken them (TOCSIN_SPOOL)
  --fields-fd [N]      take fields of the run from this descriptor of the command, a JSON object a line (3)
  --fields-file FILE   take them from this file; it is emptied before the command starts
  --url URL            the bot's address (TOCSIN_URL, {DEFAULT_URL})
  --flush              deliver what waits in the spool, and run nothing

TOCSIN_TOKEN is the bot's http.token. The exit code is the command's; 124 after the time limit, 1 when the job
is running already, 126 or 127 when the command cannot be run or found, 2 for a mistake in the arguments.
"""
_LONGEST_NAME = 200
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


class Misused(Exception):
    """The arguments make no sense; the message says which one, and why."""


class Options:
    """The arguments, checked. Without `command` there is nothing to run, only to deliver."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.job = ""
        self.command: list[str] = []
        self.timeout: timedelta | None = None
        self.grace = timedelta(seconds=10)
        self.lock = True
        self.lock_dir = environ.get("TOCSIN_LOCK_DIR") or state_folder(environ, "locks")
        self.log: str | None = None
        self.spool = spool_folder(environ)
        self.fields_fd: int | None = None
        self.fields_file: str | None = None
        self.url = environ.get("TOCSIN_URL") or DEFAULT_URL
        self.token = environ.get("TOCSIN_TOKEN", "")
        self.flush = False


def wants_help(argv: Sequence[str]) -> bool:
    """Whether it is asked how to use it, before the command's own arguments."""
    return any(argument in ("-h", "--help") for argument in _own(argv))


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """The options. Raises Misused."""
    options, own = Options(environ), _own(argv)
    options.command = list(argv[len(own) + 1 :])
    names = _take_options(options, own)
    if options.flush:
        if names or options.command:
            raise Misused("--flush runs nothing: give neither JOB nor COMMAND")
        return options
    if len(names) > 1:
        raise Misused(f"{names[1]!r} is one too many: write -- before the command")
    options.job = names[0].strip() if names else ""
    if not options.job:
        raise Misused("name the job")
    if len(options.job) > _LONGEST_NAME or not options.job.isprintable():
        raise Misused(f"a job's name has at most {_LONGEST_NAME} characters, all printable")
    if not options.command or not options.command[0]:
        raise Misused("write -- and the command after the options")
    return options


def parse_duration(text: str) -> timedelta:
    """`30s`, `5m`, `1h30m`: what `checks.options` takes, without what that imports. Raises Misused."""
    joined = text.replace(" ", "")
    found = _DURATION.findall(joined)
    if not found or "".join(number + unit for number, unit in found) != joined:
        raise Misused(f"{text!r} is not a duration; write one such as 30s, 5m or 1h30m")
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in found))
    except OverflowError:
        raise Misused(f"{text!r} is longer than any clock runs") from None


def state_folder(environ: Mapping[str, str], name: str) -> str:
    """Where this user's locks and spool are unless said otherwise."""
    if os.geteuid() == 0:
        return f"/var/lib/tocsin/{name}"
    home = environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(home, "tocsin", name)


def spool_folder(environ: Mapping[str, str]) -> str:
    """Where what the bot has not taken yet waits unless said otherwise."""
    return environ.get("TOCSIN_SPOOL") or state_folder(environ, "spool")


def _own(argv: Sequence[str]) -> list[str]:
    """The arguments before `--`."""
    given = list(argv)
    return given[: given.index("--")] if "--" in given else given


def _take_options(options: Options, arguments: Sequence[str]) -> list[str]:
    """Set what the arguments say; returns those that are no options."""
    names, rest = [], list(arguments)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.partition("=")
        if not argument.startswith("-"):
            names.append(argument)
        elif argument in _SWITCHES:
            attribute, state = _SWITCHES[argument]
            setattr(options, attribute, state)
        elif argument == "--fields-fd" and not (rest and rest[0].isdigit()):
            options.fields_fd = 3
        elif name not in _VALUES:
            raise Misused(f"there is no option {name}")
        elif not equals and (not rest or rest[0].startswith("--")):
            raise Misused(f"{name} needs a value")
        else:
            attribute, read = _VALUES[name]
            setattr(options, attribute, read(value if equals else rest.pop(0)))
    return names


def _limit(text: str) -> timedelta:
    found = parse_duration(text)
    if not found:
        raise Misused("a time limit is longer than nothing")
    return found


def _descriptor(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 3 <= int(text) <= 255:
        raise Misused(f"{text!r} is not a file descriptor from 3 to 255")
    return int(text)


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise Misused(f"{text!r} is not an address such as {DEFAULT_URL}")
    return text


def _path(text: str) -> str:
    if not text or "\0" in text:
        raise Misused(f"{text!r} is not a path")
    return os.path.abspath(text)


def _fields_path(text: str) -> str:
    path = _path(text)
    if os.path.exists(path) and not os.path.isfile(path):
        raise Misused(f"{text!r} is not a file")
    return path


_SWITCHES = {"--lock": ("lock", True), "--no-lock": ("lock", False), "--flush": ("flush", True)}
_VALUES = {
    "--timeout": ("timeout", _limit),
    "--grace": ("grace", parse_duration),
    "--lock-dir": ("lock_dir", _path),
    "--log": ("log", _path),
    "--spool": ("spool", _path),
    "--fields-fd": ("fields_fd", _descriptor),
    "--fields-file": ("fields_file", _fields_path),
    "--url": ("url", _url),
}
