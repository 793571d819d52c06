"""Reads tocsin.yml: settings that are whole, or every mistake at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.config.consistency import check_entries, inconsistencies
from bot.config.document import Document, read_document
from bot.config.explain import mistakes_of
from bot.config.mistake import ConfigInvalid, Mistake
from bot.config.moments import parse_zone
from bot.config.nodes import LARGEST
from bot.config.references import Names
from bot.config.settings import Settings
from bot.config.wording import shown_as

# What the file leaves out under `slack:`, and where it is looked for.
_SLACK_VARIABLES = {
    "bot_token": "SLACK_BOT_TOKEN",
    "app_token": "SLACK_APP_TOKEN",
    "channel": "SLACK_CHANNEL",
    "api_url": "SLACK_API_URL",
}
_TOKENS = {"bot_token": "xoxb-", "app_token": "xapp-"}
_HOST = {"type": "system", "thresholds": {"cpu_percent": 90, "memory_percent": 90, "disk_percent": 90}}


def load(path: Path, environ: Mapping[str, str], *, tokens_needed: bool = True) -> Settings:
    """The settings in a file. Raises ConfigInvalid with every mistake in it.

    Without `tokens_needed` the Slack tokens may be missing, for commands that run without Slack.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
            size = len(content) if len(content) <= LARGEST else path.stat().st_size
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise ConfigInvalid(
            [_about_file(path, f"cannot be read: {reason}", "name another with -c FILE")]
        ) from None
    if size > LARGEST:
        raise ConfigInvalid([_about_file(path, f"has {size} bytes", f"at most {LARGEST} are read")])
    return parse(content, path.name, environ, tokens_needed=tokens_needed)


def parse(content: bytes, file: str, environ: Mapping[str, str], *, tokens_needed: bool = True) -> Settings:
    """The settings in a file's bytes. Raises ConfigInvalid."""
    if not tokens_needed:
        environ = {"SLACK_BOT_TOKEN": "xoxb-", "SLACK_APP_TOKEN": "xapp-", **environ}
    document = read_document(content, file, environ)
    if document.data is None and document.mistakes:
        raise ConfigInvalid(document.mistakes)
    if document.data is not None and not isinstance(document.data, dict):
        found = shown_as(document.data)
        raise ConfigInvalid(
            [document.mistake((), f"{found} stands where keys belong", "begin with name: My system")]
        )
    document.data = _completed(document, environ)
    return settings_of(document)


def settings_of(document: Document) -> Settings:
    """The settings that a document's values make. Raises ConfigInvalid with every mistake, its own included."""
    mistakes = [*document.mistakes, *inconsistencies(document)]
    try:
        settings = Settings.model_validate(document.data, context=_names(document.data))
    except ValidationError as error:
        mistakes += mistakes_of(error, document, Settings)
        raise ConfigInvalid(mistakes) from None
    if mistakes:
        raise ConfigInvalid(mistakes)
    settings._document = document
    return settings


def _about_file(path: Path, message: str, hint: str) -> Mistake:
    return Mistake(file=path.name, path="", line=1, column=1, message=message, suggestion=hint)


def _completed(document: Document, environ: Mapping[str, str]) -> dict[str, Any]:
    """The values with what comes from the environment, and the host to watch when nothing else is."""
    data = {key: value for key, value in (document.data or {}).items() if value is not None}
    if document.data and document.data.get("heartbeat", False) is None:
        data["heartbeat"] = {}
    slack = data.setdefault("slack", {})
    if isinstance(slack, dict):
        data["slack"] = slack = dict(slack)
        for key, variable in _SLACK_VARIABLES.items():
            if key not in slack and environ.get(variable):
                slack[key] = environ[variable]
                if key in _TOKENS:
                    document.secrets.add(environ[variable])
                    document.secret_paths["slack", key] = variable
            elif key not in slack and key in _TOKENS:
                hint = f"set {variable}, which begins with {_TOKENS[key]}"
                document.mistakes.append(
                    document.mistake(("slack", key), f'the key "{key}" is missing', hint)
                )
                document.unresolved.add(("slack", key))
    if not any(key in data for key in ("checks", "jobs", "run_logs")):
        data["checks"] = {"host": _HOST}
    return data


def _names(data: dict[str, Any]) -> Names:
    return Names(
        people=_keys(data, "people"),
        rotations=_keys(data, "oncall"),
        destinations=_keys(data, "destinations"),
        escalations=_keys(data, "escalation"),
        checks=[str(path[-1]) for path, _ in check_entries(data)],
        timezone=_zone(data.get("timezone")),
    )


def _keys(data: dict[str, Any], key: str) -> list[str]:
    section = data.get(key)
    return list(section) if isinstance(section, dict) else []


def _zone(value: Any) -> tzinfo:
    try:
        return parse_zone(value)
    except ValueError:
        return UTC
