"""A machine for every test."""

from pathlib import Path

import pytest

from tests.execution.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)
