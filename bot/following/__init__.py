"""Logs of runs that Tocsin reads by itself: files of JSON lines, and tables by a query with a cursor."""
