"""What keeps Tocsin from starting is one clear line with its remedy, an exit code, and no traceback."""

import asyncio
import socket
from pathlib import Path

import pytest

from bot.demo.workspace import LocalWorkspace
from tests.e2e.process import Process, running

pytestmark = pytest.mark.faults

CONFIG = """
database: {database}
http: {bind: "127.0.0.1:{port}"}
checks: {web: {type: http, url: "http://127.0.0.1:1/", every: 1h}}
"""


def config(folder: Path, database: str, port: int = 0) -> Path:
    folder.mkdir()
    path = folder / "tocsin.yml"
    path.write_text(CONFIG.replace("{database}", database).replace("{port}", str(port)))
    return path


async def refused(workspace: LocalWorkspace, path: Path) -> tuple[int, str]:
    """Exit code and words of a Tocsin that should not start."""
    async with running(path, workspace) as process:
        return await process.ended(), "\n".join(process.lines)


async def test_it_does_not_start_where_it_cannot_work(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "text.db").write_text(
            "This is no database, and it is long enough to be seen as none. " * 40
        )
        cases = {
            "nothing listens there": "postgresql://postgres@127.0.0.1:1/tocsin",
            "make its folder": f"sqlite:///{tmp_path}/absent/tocsin.db",
            "point `database:` at another path": f"sqlite:///{tmp_path}/text.db",
            f"cannot listen on 127.0.0.1:{port}": f"sqlite:///{tmp_path}/good.db",
        }
        async with LocalWorkspace() as workspace:
            outcomes = await asyncio.gather(
                *(
                    refused(
                        workspace,
                        config(tmp_path / f"case{number}", database, port if "listen" in words else 0),
                    )
                    for number, (words, database) in enumerate(cases.items())
                )
            )
    for words, (code, said) in zip(cases, outcomes, strict=True):
        assert code == 1, said
        assert words in said
        assert len(said.splitlines()) == 1, said
        assert "Traceback" not in said


async def test_a_second_tocsin_on_the_same_file_is_refused(tmp_path: Path) -> None:
    async with LocalWorkspace() as workspace:
        first = config(tmp_path / "first", f"sqlite:///{tmp_path}/tocsin.db")
        second = config(tmp_path / "second", f"sqlite:///{tmp_path}/tocsin.db")
        async with running(first, workspace) as process:
            await process.logs("started")
            code, said = await refused(workspace, second)
            assert code == 1
            assert "another Tocsin already runs on" in said
            assert "stop it, or use PostgreSQL" in said
            assert await _stopped(process) == 0
        assert len(said.splitlines()) == 1, said


async def _stopped(process: Process) -> int:
    process.terminate()
    return await process.ended()
