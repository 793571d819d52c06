"""Figures for digests and reports, made purely from rows."""
