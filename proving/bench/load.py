"""Generates load: keep-alive connections, each sending the requests of its scripts one at a time.

It uses bare sockets, because on two shared cores every cycle it takes is missing to the product; it reads an
answer by its Content-Length.
"""

import json
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Script = Sequence[bytes]  # whole HTTP requests, sent one after the other on one connection
Check = Callable[[int, int, bytes], bool]  # (place in the script, its length, body) -> as it must be


@dataclass
class LoadRun:
    """One run. Latencies are seconds; `wrong` counts answers that failed the check."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    wrong: int = 0
    example: bytes = b""

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def p99_ms(self) -> float:
        return statistics.quantiles(self.latencies, n=100)[98] * 1000


def run(
    port: int,
    scripts: Iterable[Script],
    *,
    connections: int = 16,
    keep_alive: bool = True,
    check: Check = lambda place, length, body: True,
) -> LoadRun:
    """Sends every script once over `connections` connections, or over one each without `keep_alive`."""
    waiting, lock, measured = iter(scripts), threading.Lock(), LoadRun()

    def walk() -> None:
        connection = None
        while True:
            with lock:
                script = next(waiting, None)
            if script is None:
                break
            connection = connection or _open(port)
            _send_script(connection, script, check, measured, lock)
            if not keep_alive:
                connection.close()
                connection = None
        if connection:
            connection.close()

    threads = [threading.Thread(target=walk) for _ in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    measured.seconds = time.perf_counter() - began
    return measured


def _open(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _send_script(
    connection: socket.socket, script: Script, check: Check, measured: LoadRun, lock: threading.Lock
) -> None:
    took, wrong, example = [], 0, b""
    for place, request in enumerate(script):
        began = time.perf_counter()
        connection.sendall(request)
        status, body = _answer(connection)
        took.append(time.perf_counter() - began)
        if not (200 <= status < 300 and check(place, len(script), body)):
            wrong, example = wrong + 1, body
    with lock:
        measured.latencies += took
        measured.wrong += wrong
        measured.example = example or measured.example


def _answer(connection: socket.socket) -> tuple[int, bytes]:
    """Returns (status, body) of one HTTP/1.1 answer with a Content-Length."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("the server hung up")
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += connection.recv(65536)
    return int(head[9:12]), body


def post(
    path: str, body: bytes, content_type: str = "application/x-www-form-urlencoded", headers: str = ""
) -> bytes:
    """Returns one POST request as bytes."""
    about = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{headers}"
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{about}\r\n".encode() + body


def get_json(port: int, path: str) -> Any:
    """Returns the JSON answer of a GET."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return json.loads(_answer(connection)[1])
