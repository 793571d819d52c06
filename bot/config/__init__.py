"""tocsin.yml: parsed once into frozen settings, every mistake at once."""

from bot.config.advice import warnings
from bot.config.ahead import not_yet
from bot.config.loader import load, parse
from bot.config.mistake import ConfigInvalid, Mistake, describe
from bot.config.settings import Settings

__all__ = ["ConfigInvalid", "Mistake", "Settings", "describe", "load", "not_yet", "parse", "warnings"]
