"""Trying Tocsin without an account: the local workspace and a service to break."""
