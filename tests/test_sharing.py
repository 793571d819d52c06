"""One reading serves all who asked before it began, and nobody is given an older one."""

from __future__ import annotations

import asyncio

import pytest

from bot.sharing import Shared


class Source:
    """Something that is read when the test says so."""

    def __init__(self) -> None:
        self.begun = 0
        self.gates = [asyncio.Event() for _ in range(5)]

    async def read(self) -> int:
        self.begun += 1
        number = self.begun
        await self.gates[number].wait()
        if number == 3:
            raise OSError("gone")
        return number


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_asks_while_it_is_read_waits_for_the_next_reading() -> None:
    source = Source()
    shared = Shared(source.read)
    first = [asyncio.create_task(shared.get()) for _ in range(4)]
    await _turns()
    later = [asyncio.create_task(shared.get()) for _ in range(4)]
    await _turns()
    assert source.begun == 1
    source.gates[1].set()
    assert await asyncio.gather(*first) == [1] * 4
    source.gates[2].set()
    assert await asyncio.gather(*later) == [2] * 4
    assert source.begun == 2


async def test_a_reading_that_fails_fails_for_those_who_waited_and_for_nobody_after() -> None:
    source = Source()
    for gate in source.gates:
        gate.set()
    shared = Shared(source.read)
    assert [await shared.get(), await shared.get()] == [1, 2]
    with pytest.raises(OSError, match="gone"):
        await shared.get()
    assert await shared.get() == 4
