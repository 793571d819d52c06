"""Which job a ping's address means: its own id, or the key and a name. Both are secrets."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from uuid import UUID

from storage import known_jobs, runs
from storage.database import Database


class AmbiguousSlug(Exception):
    """Several jobs have names that make the same slug."""


def slug_of(name: str) -> str:
    """A job's name as it stands in addresses: `Nightly backup (EU)` is `nightly-backup-eu`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain)).strip("-_")


class Addresses:
    """The addresses of jobs: those of the configuration, and by name of every job that was ever heard of."""

    def __init__(self, *, database: Database, key: str, jobs: Mapping[str, UUID | None]) -> None:
        self._database = database
        self._key = key.encode()
        self._salt = os.urandom(16)
        self._by_id = {self._digest(ping): job for job, ping in jobs.items() if ping is not None}
        self._by_slug: defaultdict[str, set[str]] = defaultdict(set)
        for job in jobs:
            self._by_slug[slug_of(job)].add(job)
            self._by_slug[job].add(job)

    def of_id(self, ping: UUID) -> str | None:
        """The job with that id."""
        return self._by_id.get(self._digest(ping))

    def is_key(self, given: str) -> bool:
        """Whether this is the key; no time tells how much of it was right."""
        return bool(self._key) and hmac.compare_digest(given.encode("utf-8", "replace"), self._key)

    async def of_slug(self, slug: str) -> str | None:
        """The job of that name. Raises AmbiguousSlug, DatabaseError."""
        found = self._by_slug.get(slug)
        if found is None:
            if not await self._is_known(slug):
                return None
            found = self._by_slug[slug] = {slug}
        if len(found) > 1:
            raise AmbiguousSlug
        return next(iter(found))

    async def _is_known(self, job: str) -> bool:
        async with self._database.snapshot() as connection:
            return await known_jobs.is_known(connection, job) or await runs.are_of(connection, job)

    def _digest(self, ping: UUID) -> bytes:
        """What an id is looked up by: nobody can choose ids whose lookups tell of those that exist."""
        return hashlib.blake2b(ping.bytes, key=self._salt, digest_size=16).digest()
