"""Every story has loopback to itself: no proxies."""

from collections.abc import Iterator

import pytest

from tests.workspace_client import without_proxies


@pytest.fixture(autouse=True)
def _no_proxies() -> Iterator[None]:
    with without_proxies():
        yield
