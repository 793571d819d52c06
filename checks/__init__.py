"""Measuring the world: one module a kind of check. Knows nothing of alerts or Slack."""
