"""Makes the HTTP clients of the sandbox and of those who talk to it, without the environment's proxies."""

import ssl
from functools import cache
from typing import Any

import httpx


def client(**options: Any) -> httpx.Client:
    """Returns an httpx.Client with these `options`, such as `base_url` and `timeout`."""
    return httpx.Client(trust_env=False, verify=_authorities(), **options)


@cache
def _authorities() -> ssl.SSLContext:
    """The certificate authorities of every client: reading them takes a tenth of a second."""
    return httpx.create_ssl_context(trust_env=False)
