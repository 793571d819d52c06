"""Bodies of requests, inflated where they are compressed and bounded either way."""

from __future__ import annotations

import json
import zlib
from typing import Any

from aiohttp import web

_CHUNK = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class Unreadable(ValueError):
    """A body that is not what it says it is; the message says why."""


async def read_body(request: web.Request) -> bytes:
    """The whole body. Raises Unreadable, HTTPRequestEntityTooLarge, HTTPUnsupportedMediaType."""
    body = await request.read()
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise web.HTTPUnsupportedMediaType(reason="send the body as it is, or with Content-Encoding: gzip")
    return _inflated(body, request.client_max_size)


async def read_json(request: web.Request) -> Any:
    """The body as JSON. Raises HTTPBadRequest naming the place where it is none, and what `read_body` raises."""
    try:
        return json.loads((await read_body(request)).decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        reason = f"the body is not JSON: {error.msg} at character {error.pos}"
    except UnicodeDecodeError as error:
        reason = f"the body is not UTF-8 (byte {error.start})"
    except Unreadable as error:
        reason = str(error)
    except (ValueError, RecursionError):
        reason = "the body holds a number too long or is nested too deeply"
    raise web.HTTPBadRequest(reason=reason)


def _inflated(body: bytes, most: int) -> bytes:
    """What was compressed, in one piece or several. No more than a chunk beyond `most` is ever held."""
    found, rest, piece = bytearray(), body, zlib.decompressobj(_GZIP)
    while rest:
        try:
            found += piece.decompress(rest, _CHUNK)
        except zlib.error as error:
            raise Unreadable(f"the body is not gzip as its Content-Encoding says: {error}") from None
        if len(found) > most:
            raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(found))
        if piece.eof:
            rest, piece = piece.unused_data.lstrip(b"\0"), zlib.decompressobj(_GZIP)
        elif not (rest := piece.unconsumed_tail):
            raise Unreadable("the body breaks off in the middle of its gzip")
    return bytes(found)
