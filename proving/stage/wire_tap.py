"""Proxies a connection to PostgreSQL or an operator; holds it at an exact statement, then goes on or cuts it.

    tap = Tap("worker-money", lambda: stage.postgres.port)  # the program gets `tap.port` in its DATABASE_URL
    trap = Trap(after=["INSERT INTO receipts"], moment="before")
    tap.arm(trap)
    trap.wait(10)         # the program has sent COMMIT, and PostgreSQL has not received it
    stage.kill(trap.who)
    trap.cut()            # ... and never will; `trap.go_on()` would deliver the COMMIT of a dead client

It reads PostgreSQL's protocol message by message, because a driver sends several in one packet, and remembers
the text of each prepared statement, because a driver later sends only its name. Of HTTP (`Tap(...,
protocol=HttpRequests)`) it reads the first line.
"""

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Literal, Protocol

Moment = Literal["before", "after"]
ENCRYPTION = {80877103, 80877104}  # requested before the startup message; the server refuses


class Trap:
    """Holds the first conversation that sends `at` in a transaction that contains each text of `after`.

    `before`: the server has not received the statement. `after`: the server has executed it, and the client
    has not received the answer.
    """

    def __init__(self, *, at: str = "COMMIT", after: Sequence[str] = (), moment: Moment = "before") -> None:
        self.at, self.after, self.moment = at.encode(), [word.encode() for word in after], moment
        self.who = ""
        self._lock = threading.Lock()
        self._reached, self._decided, self._sent = threading.Event(), threading.Event(), threading.Event()
        self._used = self._cut = False

    def wait(self, within_s: float) -> str:
        """Returns the name of the tap that is held. Raises TimeoutError when none came."""
        if not self._reached.wait(within_s):
            self.go_on()
            raise TimeoutError(
                f"nobody came to {self.at.decode()} after {self.after} within {within_s:.0f} s"
            )
        return self.who

    def go_on(self) -> None:
        """Lets the held conversation go on; later ones are not held."""
        self._used = True
        self._decided.set()

    def release(self, within_s: float) -> None:
        """Lets the conversation go on, and waits until the held answer is sent to the client."""
        self.go_on()
        if not self._sent.wait(within_s):
            raise TimeoutError(f"what was held at {self.at.decode()} did not leave within {within_s:.0f} s")

    def mark_sent(self) -> None:
        """Records that the held answer is sent."""
        self._sent.set()

    def cut(self) -> None:
        """Closes both connections of the held conversation."""
        self._cut = True
        self.go_on()

    def catches(self, tap: str, query: bytes, transaction: bytes) -> bool:
        """Returns whether this statement springs the trap for the first time."""
        if not query.lstrip().upper().startswith(self.at.upper()) or not all(
            word in transaction for word in self.after
        ):
            return False
        with self._lock:
            if self._used:
                return False
            self._used, self.who = True, tap
            return True

    def hold(self) -> bool:
        """Waits for `go_on` or `cut`. Returns whether to go on."""
        self._reached.set()
        self._decided.wait()
        return not self._cut


class Tap:
    """Forwards the connections of one program to the server, both ways; `arm` sets a trap."""

    def __init__(
        self, who: str, target: Callable[[], int], protocol: "Callable[[], WireProtocol] | None" = None
    ) -> None:
        self.who, self._target, self.protocol = who, target, protocol or PostgresMessages
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._traps: list[Trap] = []
        self._conversations: list[_Conversation] = []
        threading.Thread(target=self._listen, name=f"tap-{who}", daemon=True).start()

    def arm(self, trap: Trap) -> None:
        """Sets a trap; the same trap may be armed at several taps."""
        self._traps.append(trap)

    def cut_all(self) -> None:
        """Closes all conversations at once, as a broken network does."""
        for line in self._conversations[:]:
            line.close()

    def close(self) -> None:
        """Stops listening, and cuts all conversations, also those held in a trap."""
        self._listener.close()
        for trap in self._traps:
            trap.cut()
        self.cut_all()

    def match_trap(self, query: bytes, transaction: bytes) -> Trap | None:
        """Returns the trap that this statement springs, or None, and disarms it."""
        match = next((trap for trap in self._traps if trap.catches(self.who, query, transaction)), None)
        if match:
            self._traps.remove(match)
        return match

    def _listen(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target()), timeout=3)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                self._conversations = [line for line in self._conversations if line.open]
                self._conversations.append(_Conversation(self, client, server))


class _Conversation:
    """One conversation: a thread for each direction."""

    def __init__(self, tap: Tap, client: socket.socket, server: socket.socket) -> None:
        self._tap, self._client, self._server = tap, client, server
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._protocol = tap.protocol()
        self._answer: Trap | None = None  # holds back the server's answer
        self.open = True
        for carry in (self._up, self._down):
            threading.Thread(target=self._until_closed, args=(carry,), daemon=True).start()

    def close(self) -> None:
        self.open = False
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _until_closed(self, carry: Callable[[], bool]) -> None:
        with suppress(OSError):
            if carry():  # the client has gone; the server still reads what it sent last
                self._server.shutdown(socket.SHUT_WR)
                return
        self.close()

    def _up(self) -> bool:
        while received := self._client.recv(65_536):
            ready = b""
            for message, query in self._protocol.read(received):
                trap = self._tap.match_trap(query, self._protocol.transaction) if query else None
                if trap and trap.moment == "after":
                    self._answer = trap
                elif trap:
                    self._server.sendall(ready)
                    ready = b""
                    if not trap.hold():
                        return False
                self._protocol.finish(query)
                ready += message
            self._server.sendall(ready)
        return True

    def _down(self) -> bool:
        while received := self._server.recv(65_536):
            if not (trap := self._answer) or self._protocol.done not in received:
                self._client.sendall(received)
                continue
            self._answer = None
            if not trap.hold():
                break
            self._client.sendall(received)
            trap.mark_sent()
        return False


class WireProtocol(Protocol):
    """Splits a client's bytes. `transaction` is its text so far, `done` marks the final answer."""

    transaction: bytes
    done: bytes

    def read(self, received: bytes) -> Iterator[tuple[bytes, bytes]]: ...

    def finish(self, query: bytes) -> None: ...


class HttpRequests:
    """HTTP: matches each request by its first line; requests must not be pipelined."""

    transaction, done = b"", b"HTTP/1."

    def read(self, received: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yields the bytes as received, with the first line where a request begins."""
        line, _, rest = received.partition(b"\r\n")
        yield received, line if rest and b" HTTP/1." in line else b""

    def finish(self, query: bytes) -> None:
        """Does nothing: requests do not form transactions."""


class PostgresMessages:
    """PostgreSQL: splits messages; `transaction` is the SQL of the current one, with its parameters."""

    done = b"COMMIT\x00"

    def __init__(self) -> None:
        self.transaction = b""
        self._begun = False
        self._rest = b""
        self._prepared: dict[bytes, bytes] = {}

    def read(self, received: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yields each complete message with its query, or an empty one."""
        self._rest += received
        while message := self._next():
            query = self._query(message) if self._begun else b""
            if not self._begun:
                self._begun = struct.unpack("!i", message[4:8])[0] not in ENCRYPTION
            self.transaction += query
            yield message, query

    def finish(self, query: bytes) -> None:
        """Clears `transaction` after COMMIT or ROLLBACK."""
        if _ends(query):
            self.transaction = b""

    def _next(self) -> bytes:
        kind = 1 if self._begun else 0
        if len(self._rest) < kind + 4:
            return b""
        size = kind + struct.unpack("!i", self._rest[kind : kind + 4])[0]
        if len(self._rest) < size:
            return b""
        message, self._rest = self._rest[:size], self._rest[size:]
        return message

    def _query(self, message: bytes) -> bytes:
        kind, body = message[:1], message[5:]
        if kind == b"Q":
            return body.rstrip(b"\x00")
        # Match at Parse: a server that has received half of a query does not count as waiting for one.
        if kind == b"P":
            name, query = body.split(b"\x00")[:2]
            self._prepared[name] = query
            return query
        if kind == b"B":
            _, name, parameters = body.split(b"\x00", 2)
            query = self._prepared.get(name, b"")
            return b"" if not name and _ends(query) else query + b"\n" + parameters
        return b""


def _ends(query: bytes) -> bool:
    """Returns whether the query ends or begins a transaction; ROLLBACK TO a savepoint does not."""
    word = query.strip().upper()
    return word.startswith((b"COMMIT", b"BEGIN")) or word == b"ROLLBACK"
