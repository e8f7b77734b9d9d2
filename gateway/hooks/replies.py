"""Short answers to machines: plain text that says what happened and what was not done."""

from flask import Response


def plain(text: str, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Response:
    """A plain-text response that must not be cached."""
    response = Response(text, status=status, content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    return response
