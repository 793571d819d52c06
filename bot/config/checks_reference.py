"""docs/checks.md, written from the models: each kind with what it measures, its keys, its fields and an example."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator

import yaml

from bot.config.probing import CheckSettings
from bot.config.reference import inner_models, said, table
from checks.kinds import kinds, options_of

_INTRODUCTION = """# Checks

<!-- Written by `python -m bot.config.checks_reference`; change the models in checks/ instead. -->

Each entry of `checks:` has a `type`, the keys of every check, and those of its kind. `tocsin validate` tells every
mistake with its line. The fields of a result are what `thresholds`, `condition`, `states` and texts may name;
beside them stand `state`, `resource` and `check`, and `previous.x`, `baseline.x` and `change.x` of every number.
How values are written is told in [configuration.md](configuration.md). To add a kind, see
[new-check.md](new-check.md).
"""

EXAMPLES = {
    "command": """
backups:
  type: command
  command: [/usr/lib/nagios/plugins/check_file_age, -f, /var/backups/shop.dump]
  every: 10m
""",
    "csv": """
listings:
  type: csv
  path: /srv/exports/listings.csv
  columns: {id: integer, price: number, city: string, status: [active, sold]}
  unique: [id]
  ranges: {price: [0, 100000000]}
  thresholds: {pct_invalid: {P2: 1, P1: 5}}
""",
    "dns": """
mail_records:
  type: dns
  name: example.com
  record: MX
  expect: [10 mail.example.com]
  every: 5m
""",
    "env": """
settings:
  type: env
  required: {DATABASE_URL: url, API_TOKEN: token, WORKERS: int}
""",
    "file": """
nightly_export:
  type: file
  path: /srv/exports/nightly.json
  min_size: 10KB
  due: "06:30"
  thresholds: {age_hours: 26}
""",
    "group": """
readiness:
  type: group
  at: "05:30"
  report: true
  checks:
    api: {type: http, url: https://api.example.com/health}
    cache: {type: tcp, host: cache.example.com, port: 6379}
""",
    "http": """
orders_api:
  type: http
  url: https://api.example.com/health
  expect: {status: 200, json: "database == 'ok'"}
  extract: {queue_depth: queue.depth}
  every: 30s
  failures: 2
  thresholds: {response_time_ms: {P2: 1000, P1: 5000}, queue_depth: 500, tls_days_left: "< 14"}
""",
    "process": """
workers:
  type: process
  match: celery worker
  expect: {count: ">=2"}
  thresholds: {rss_mb: 2000, rss_growth_mb_per_hour: 200}
""",
    "prometheus": """
error_ratio:
  type: prometheus
  url: https://prometheus.example.com
  query: sum by (service) (rate(http_requests_total{code=~"5.."}[5m]))
  resource_label: service
  thresholds: {value: {P2: 1, P1: 10}}
""",
    "redis": """
cache:
  type: redis
  url: redis://cache.example.com:6379/0
  lock: tocsin:probe
  keys: "lock:*"
  max_age: 2h
  thresholds: {ping_time_ms: 100}
""",
    "sql": """
stuck_orders:
  type: sql
  url: sqlite:////srv/shop/orders.db
  query: SELECT count(*) AS stuck, min(created_at) AS oldest FROM orders WHERE state = 'new'
  thresholds: {stuck: {P2: 10, P1: 100}, oldest_age_hours: 6}
""",
    "sql_schema": """
migrated:
  type: sql_schema
  url: sqlite:////srv/shop/orders.db
  tables: {orders: [id, state, created_at], customers: [id]}
  indexes: [orders_by_state]
  every: 1h
""",
    "system": """
host:
  type: system
  mounts: {exclude: [/mnt/*]}
  for: 5m
  thresholds: {cpu_percent: 90, memory_percent: 90, disk_percent: {P2: 85, P1: 95}}
""",
    "tcp": """
mail_server:
  type: tcp
  host: mail.example.com
  port: 25
  expect: ESMTP
  thresholds: {connect_ms: 500}
""",
    "tls": """
certificate:
  type: tls
  host: shop.example.com
  warn_days: 30
  every: 6h
""",
}
"""One check of each kind, as it stands under `checks:`."""


def render() -> str:
    """The whole page."""
    common = "## The keys of every check\n\n" + table(CheckSettings)
    listed = "\n".join(f"- [`{kind}`](#type-{kind}): {_measures(kind)}" for kind in kinds())
    parts = [_INTRODUCTION, listed, common, *(part for kind in kinds() for part in _kind(kind))]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _kind(kind: str) -> Iterator[str]:
    model = options_of(kind)
    yield f"## `type: {kind}`\n\n{_measures(kind)}\n\n{said(model)}\n{table(model)}"
    for inner, key in inner_models(model, ""):
        yield f"### `{key}` of `type: {kind}`\n\n{said(inner)}\n{table(inner)}"
    if kind in EXAMPLES:
        yield f"{_fields(kind)}\n\n```yaml\n{example(kind)}```"


def example(kind: str) -> str:
    """A file with one check of a kind. Raises KeyError for a kind that is not ours."""
    lines = EXAMPLES[kind].strip().splitlines()
    return "\n".join(["checks:", *(f"  {line}" for line in lines)]) + "\n"


def _measures(kind: str) -> str:
    """The first line of its module."""
    return (importlib.import_module(f"checks.{kind}").__doc__ or "").strip().partition("\n")[0]


def _fields(kind: str) -> str:
    ((_, written),) = yaml.safe_load(example(kind))["checks"].items()
    names = CheckSettings.model_validate(written).options.field_names()
    if names is None:
        return "What its results carry is decided by what it asks; `tocsin check NAME` shows it."
    return "The results of the example carry " + ", ".join(f"`{name}`" for name in sorted(names)) + "."


if __name__ == "__main__":
    sys.stdout.write(render())
