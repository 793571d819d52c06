"""A fresh workspace for every test, and an app in it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import LocalWorkspace
from tests.workspace_client import ShiftedClock, bolt_app, client_of, without_proxies


@pytest.fixture(autouse=True)
def _no_proxies() -> Iterator[None]:
    with without_proxies():
        yield


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
async def workspace(clock: ShiftedClock) -> AsyncIterator[LocalWorkspace]:
    async with LocalWorkspace(clock=clock, ack_timeout=1.0) as running:
        yield running


@pytest.fixture
def client(workspace: LocalWorkspace) -> AsyncWebClient:
    return client_of(workspace)


@pytest.fixture
def app(workspace: LocalWorkspace) -> AsyncApp:
    return bolt_app(workspace)
