"""The application: decides, delivers, and puts the rooms together."""

__version__ = "0.1.0"
