"""Who may post: the token as a bearer or as a password, and signatures."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

PUSH = "/api/v2/alerts"
HOOKS = "/hooks/"
SENTRY = "/hooks/sentry"
SIGNED = frozenset({SENTRY})
"""Addresses whose senders sign the body instead of sending the token."""


def carries(header: str, token: str, *, basic: bool = False) -> bool:
    """Whether an Authorization header holds the token; with `basic`, also as a password of any user."""
    given = header.removeprefix("Bearer ").encode()
    scheme, _, rest = header.partition(" ")
    if basic and scheme.lower() == "basic":
        given = _password(rest)
    return hmac.compare_digest(given, token.encode())


def is_signed(body: bytes, signature: str, secret: str) -> bool:
    """Whether a signature is the body's HMAC-SHA256 under the secret, in hexadecimal."""
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.strip().lower().encode())


def _password(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
