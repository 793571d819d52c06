"""Killed at any instant, a Tocsin started again tells its destinations everything, under the same keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.clock import system_clock
from tests.channels.receivers import mailing, receiving
from tests.e2e.harness import story
from tests.e2e.process import running

pytestmark = pytest.mark.faults

CONFIG = """
name: Shop
database: {database}
slack: {channel: "#alerts"}
http: {bind: "127.0.0.1:0", token: a-token-for-the-api}
checks:
  backend: {type: http, url: "{service}/health", every: 1h}
destinations:
  hook: {webhook: "${HTTP}/hook"}
  email: {url: "${MAIL_URL}"}
routes: [{to: [hook, email]}]
"""


@pytest.mark.parametrize(
    "place", ["after_commit", "after_claim", "before_post", "after_post", "after_record"]
)
async def test_after_a_kill_every_destination_is_told_and_hears_the_end(tmp_path: Path, place: str) -> None:
    async with mailing() as mail, receiving() as http:
        environ = {"HTTP": http.url, "MAIL_URL": mail.url}
        async with story(tmp_path, CONFIG, start=system_clock(), environ=environ, begin=False) as told:
            told.service.status = 503
            config = tmp_path / "tocsin.yml"
            config.write_text(told.config)
            armed = {"TOCSIN_FAILPOINT": place, **environ}
            async with running(config, told.workspace, armed) as process:
                assert await process.ended() == -9, process.lines[-5:]

            await told.start()
            await told.see(lambda: bool(http.taken and mail.mails))
            await told.settle()
            await told.change(200)
            await told.see(lambda: "resolved" in [taken.json["event"] for taken in http.taken])
            await told.see(lambda: "Resolved" in mail.subjects[-1])
            await told.settle()

            keys = list(dict.fromkeys(taken.json["key"] for taken in http.taken))
            assert len(keys) == 2, "one key for the beginning and one for the end"
            events = [taken.json["event"] for taken in http.taken]
            assert events[-1] == "resolved"
            assert events.count("resolved") == 1
            assert len(http.taken) <= 3, "once more at most, where it was not known whether it had arrived"
            assert len(mail.mails) <= 3
            assert len({each["X-Tocsin-Key"] for each in mail.mails}) == 2
            assert told.workspace.messages("alerts") == []
