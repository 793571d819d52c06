"""A Nagios plugin or any program that speaks as one: exit code, first line, performance data."""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Mapping
from time import perf_counter
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr

from checks._execution import Execution, execute
from checks._performance import Measure, measured_fields, parse_performance
from checks._secrets import is_sensitive, masked
from checks.options import CheckContext, CheckOptions
from checks.result import CheckResult, Diagnostic, State

_STATES = {0: State.OK, 1: State.WARNING, 2: State.CRITICAL, 3: State.UNKNOWN}
_MOST_BYTES = 256 * 1024
_LONGEST_SUMMARY, _LONGEST_TEXT, _MOST_MEASURES = 300, 2500, 30
_PASSED_ON = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    }
)
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|[\x00-\x08\x0b-\x1f\x7f]")


def _split(command: Any) -> Any:
    if isinstance(command, str):
        try:
            command = shlex.split(command)
        except ValueError as error:
            raise ValueError(f"the command cannot be split into words: {str(error).lower()}") from None
    if isinstance(command, list):
        command = [str(word) if isinstance(word, int | float) else word for word in command]
    if not command or (isinstance(command, list) and not command[0]):
        raise ValueError("the command is empty")
    return command


class Options(CheckOptions):
    """A program run without a shell. Exit code 0 is ok, 1 warning, 2 critical, anything else unknown."""

    command: Annotated[list[str], BeforeValidator(_split)] = Field(
        repr=False,
        description="The program and its arguments, as a list or as one line with quotes; there is no shell",
    )
    env: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="Variables the program gets beside PATH, HOME, LANG, TZ and the like; "
        "Tocsin's own are kept from it",
    )
    cwd: str | None = Field(None, description="The folder to run it in")

    def build(self, context: CheckContext) -> CommandCheck:
        del context
        return CommandCheck(self, os.environ)


def passed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that a program is given of this process's own: none that could hold a secret."""
    return {k: v for k, v in environ.items() if k in _PASSED_ON or k.startswith("LC_")}


class CommandCheck:
    """Runs the program and reads its output as a plugin's."""

    def __init__(self, options: Options, environ: Mapping[str, str]) -> None:
        self._options = options
        own = {name: value.get_secret_value() for name, value in options.env.items()}
        self._environ = passed_on(environ) | own
        self._secrets = tuple(value for name, value in own.items() if value and is_sensitive(name))
        self._name = os.path.basename(options.command[0])

    async def run(self) -> CheckResult:
        began = perf_counter()
        try:
            execution = await execute(
                self._options.command,
                environ=self._environ,
                folder=self._options.cwd,
                most_bytes=_MOST_BYTES,
            )
        except (OSError, ValueError) as error:
            return self._not_started(error)
        return self._result(execution, (perf_counter() - began) * 1000)

    def timed_out(self, seconds: float) -> CheckResult:
        """The result when the caller's deadline passed first; the program has been ended."""
        summary = f"{self._name} did not end within {seconds:g} s and was stopped"
        return CheckResult(state=State.UNKNOWN, summary=summary)

    def _not_started(self, error: OSError | ValueError) -> CheckResult:
        if (
            isinstance(error, FileNotFoundError)
            and self._options.cwd
            and not os.path.isdir(self._options.cwd)
        ):
            reason, remedy = f"there is no folder {self._options.cwd}", None
        elif isinstance(error, FileNotFoundError):
            reason, remedy = "there is no such program", f"install {self._name}, or write its whole path"
        else:
            reason, remedy = getattr(error, "strerror", None) or str(error), None
        summary = f"{self._name} cannot be run: {reason}"
        return CheckResult(state=State.UNKNOWN, summary=summary, remedy=remedy)

    def _result(self, execution: Execution, duration_ms: float) -> CheckResult:
        first, long, performance = split_output(self._clean(execution.output))
        errors = self._clean(execution.errors).strip()
        measures, unread = parse_performance(performance)
        diagnostics = [
            Diagnostic(title="Output", text=long[:_LONGEST_TEXT]) if long else None,
            Diagnostic(title="Errors", text=errors[:_LONGEST_TEXT]) if errors and errors != first else None,
            _measured(measures, unread),
        ]
        return CheckResult(
            state=State.UNKNOWN if execution.flooded else _STATES.get(execution.code, State.UNKNOWN),
            summary=self._summary(execution, first or errors.partition("\n")[0]),
            fields={"exit_code": execution.code, "duration_ms": round(duration_ms, 1)}
            | measured_fields(measures),
            diagnostics=tuple(diagnostic for diagnostic in diagnostics if diagnostic),
        )

    def _summary(self, execution: Execution, said: str) -> str:
        said = said[:_LONGEST_SUMMARY]
        if execution.flooded:
            return f"{self._name} wrote more than {_MOST_BYTES // 1024} KB and was stopped"
        if execution.code < 0:
            return f"{self._name} was ended by {_signal_name(-execution.code)}" + (
                f": {said}" if said else ""
            )
        if execution.code not in _STATES:
            return f"{self._name} ended with exit code {execution.code}" + (f": {said}" if said else "")
        return said or f"{self._name} said nothing"

    def _clean(self, text: str) -> str:
        return masked(_CONTROLS.sub("", text), self._secrets)


def split_output(output: str) -> tuple[str, str, str]:
    """A plugin's first line, its further text, and its performance data from wherever it stands.

    `TEXT | data`, then lines of text, the last of which may have a bar after which everything is data.
    """
    head, _, rest = output.lstrip("\n").partition("\n")
    first, _, data = head.partition("|")
    long, _, more = rest.partition("|")
    return first.strip(), long.strip(), f"{data} {more}".replace("\n", " ").strip()


def _measured(measures: list[Measure], unread: int) -> Diagnostic | None:
    lines = [_line(measure) for measure in measures[:_MOST_MEASURES]]
    if len(measures) > _MOST_MEASURES:
        lines.append(f"and {len(measures) - _MOST_MEASURES} more")
    if unread:
        lines.append(f"{unread} more that cannot be read as performance data")
    return Diagnostic(title="Measured", text="\n".join(lines)) if lines else None


def _line(measure: Measure) -> str:
    value = "unknown" if measure.value is None else f"{measure.value:g}{measure.unit}"
    limits = (("warning", measure.warning), ("critical", measure.critical))
    said = [f"{word} {limit.text}" for word, limit in limits if limit]
    bounds = [
        f"{word} {bound:g}" for word, bound in (("least", measure.least), ("most", measure.most)) if bound
    ]
    beyond = f"  ← {measure.verdict}" if measure.verdict else ""
    return f"{measure.label[:60]} = {value}" + "".join(f", {part}" for part in said + bounds) + beyond


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
