"""A Slack workspace on this machine: Web API, Socket Mode, its people and its troubles."""

from bot.demo.workspace.core import DEFAULT_SCOPES, Call, Command
from bot.demo.workspace.entries import NotOffered
from bot.demo.workspace.people import Outcome
from bot.demo.workspace.workspace import LocalWorkspace

__all__ = ["DEFAULT_SCOPES", "Call", "Command", "LocalWorkspace", "NotOffered", "Outcome"]
