"""`${NAME}` and `${NAME:-default}` in the texts of tocsin.yml, and which of their values are secret."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-((?:[^{}]|\$\{[^{}]*\})*))?\}")
_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASS|KEY|DSN|CREDENTIAL|WEBHOOK|AUTH|MAIL|SMS|DISCORD|TEAMS|GCHAT|PAGERDUTY", re.IGNORECASE
)
_SECRET_KEY = re.compile(
    r".*(?:token|secret|password|api[-_]?key|dsn|authorization|cookie|ping|ping_key)", re.IGNORECASE
)
_SLACK_TOKEN = re.compile(r"\bx(?:ox[a-z]|app)-[\w-]{6,}")
_CREDENTIALS = re.compile(r"(?<=://)[^/?#\s]*:[^/?#\s]*@")
MASK = "••••"
_SHORTEST = 5  # a shorter secret would blot out words everywhere; where it stands it is not shown either


@dataclass(slots=True)
class Substitution:
    """A text with its variables filled in. `secrets` are the secret values in it, by the variable's name."""

    text: str
    used: bool = False
    missing: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)


def substitute(text: str, environ: Mapping[str, str]) -> Substitution:
    """Fill in the variables. An empty variable takes its default, as in a shell; `$$` is a dollar sign."""
    result = Substitution(text)

    def value_of(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if name is None:
            return "$"
        result.used = True
        value = environ.get(name) or None
        if value is None and default is not None:
            value = _VARIABLE.sub(value_of, default)
        if value and _is_secret(name, value):
            result.secrets[name] = value
        if name not in environ and default is None:
            result.missing.append(name)
        return value or ""

    result.text = _VARIABLE.sub(value_of, text)
    return result


def mask_credentials(text: str) -> str:
    """The text without the user and password of any address in it."""
    return _CREDENTIALS.sub(f"{MASK}@", text)


def _is_secret(name: str, value: str) -> bool:
    return bool(_SECRET_NAME.search(name) or _CREDENTIALS.search(value))


def masked_values(value: Any, secrets: Collection[str]) -> Any:
    """Plain values with every secret in them masked, and all values under keys that sound like secrets."""
    if isinstance(value, dict):
        return {
            key: MASK
            if isinstance(item, str) and item and _SECRET_KEY.fullmatch(str(key))
            else masked_values(item, secrets)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [masked_values(item, secrets) for item in value]
    return mask_secrets(value, secrets) if isinstance(value, str) else value


def mask_secrets(text: str, secrets: Collection[str], *, shortest: int = _SHORTEST) -> str:
    """The text without any of the secret values, as they are or as Python would print them."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= shortest:
            for form in (secret, repr(secret)[1:-1], " ".join(secret.split())):
                text = text.replace(form, MASK)
    return _SLACK_TOKEN.sub(MASK, mask_credentials(text))
