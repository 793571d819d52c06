"""From settings to remedies as the domain knows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.config.acting import Remedy as RemedySettings
from bot.config.settings import Settings
from bot.config.variables import mask_secrets
from bot.domain.condition import compile_condition
from bot.domain.filling import Action, Call, Command
from bot.domain.remedy import Remedy
from checks.means import masked, secrets_of


def remedies_of(settings: Settings) -> dict[str, Remedy]:
    """Every remedy of the file, by name, in its order."""
    return {name: _remedy(name, each) for name, each in settings.remedies.items()}


def masker_of(settings: Settings) -> Callable[[str], str]:
    """Takes every secret of the file, and every secret that remedies send, out of a text."""
    sent: set[str] = set()
    for each in settings.remedies.values():
        if each.request is not None:
            headers = {name: value.get_secret_value() for name, value in each.request.headers.items()}
            sent.update(secrets_of(each.request.url, headers))
    secrets = settings.document.secrets | sent
    return lambda text: mask_secrets(masked(text), secrets)


def _remedy(name: str, settings: RemedySettings) -> Remedy:
    return Remedy(
        name=name,
        when=compile_condition(settings.when),
        action=_action(settings),
        attempts=settings.attempts,
        per=settings.per,
        verify_after=settings.verify_after,
        timeout=settings.timeout,
        approve=settings.approve,
        dry_run=settings.dry_run,
    )


def _action(settings: RemedySettings) -> Action:
    if settings.command is not None:
        return Command(arguments=settings.command)
    request = settings.request
    assert request is not None, "the file was checked for one of the two"
    headers: Mapping[str, str] = {name: value.get_secret_value() for name, value in request.headers.items()}
    return Call(
        method=request.method, url=request.url, headers=headers, body=request.body, json=request.json_
    )
