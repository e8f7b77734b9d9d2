"""A tap on a wire, to PostgreSQL or to an operator: hold a conversation at an exact word, then let it go on
or cut it.

    tap = Tap("worker-money", lambda: stage.postgres.port)     # the program is given `tap.port` in its
    DATABASE_URL trap = Trap(after=["INSERT INTO receipts"], moment="before") tap.arm(trap) trap.wait(10)
    # the program has sent COMMIT, and PostgreSQL has not heard it stage.kill(trap.who) trap.cut()
    # ... and never will; `trap.go_on()` would let it hear what a dead client said

It reads PostgreSQL's protocol message by message, because a driver sends several in one go, and remembers
what each prepared statement says, because a driver soon sends only their names. Of HTTP (`Tap(...,
words=Requests)`) it reads the first line.
"""

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Literal, Protocol

Moment = Literal["before", "after"]
ENCRYPTION = {80877103, 80877104}  # asked for before the conversation begins; the server says no


class Trap:
    """A place in a conversation: the word `at`, in a transaction that has said each of `after`. Holds the
    first who comes.

    `before`: the server has not heard the word. `after`: the server has done it, and the client has not heard
    that.
    """

    def __init__(self, *, at: str = "COMMIT", after: Sequence[str] = (), moment: Moment = "before") -> None:
        self.at, self.after, self.moment = at.encode(), [word.encode() for word in after], moment
        self.who = ""
        self._lock = threading.Lock()
        self._reached, self._decided, self._told = threading.Event(), threading.Event(), threading.Event()
        self._taken = self._cut = False

    def wait(self, within_s: float) -> str:
        """The name of the tap whose program stands there; TimeoutError when nobody came."""
        if not self._reached.wait(within_s):
            self.go_on()
            raise TimeoutError(
                f"nobody came to {self.at.decode()} after {self.after} within {within_s:.0f} s"
            )
        return self.who

    def go_on(self) -> None:
        """Let the conversation go on, now and whenever somebody comes."""
        self._taken = True
        self._decided.set()

    def tell(self, within_s: float) -> None:
        """Let the conversation go on, and return once the client's side of the wire has what was held
        back."""
        self.go_on()
        if not self._told.wait(within_s):
            raise TimeoutError(f"what was held at {self.at.decode()} did not leave within {within_s:.0f} s")

    def told(self) -> None:
        """What was held back is on its way."""
        self._told.set()

    def cut(self) -> None:
        """Close both ends where they stand."""
        self._cut = True
        self.go_on()

    def takes(self, who: str, query: bytes, told: bytes) -> bool:
        """Whether this is the place and nobody was here before."""
        if not query.lstrip().upper().startswith(self.at.upper()) or not all(
            word in told for word in self.after
        ):
            return False
        with self._lock:
            if self._taken:
                return False
            self._taken, self.who = True, who
            return True

    def hold(self) -> bool:
        """Stand here until somebody decides; whether to go on."""
        self._reached.set()
        self._decided.wait()
        return not self._cut


class Tap:
    """Listens for one program and carries what it says to the server, both ways; `arm` sets a trap."""

    def __init__(
        self, who: str, target: Callable[[], int], words: "Callable[[], Hears] | None" = None
    ) -> None:
        self.who, self._target, self.words = who, target, words or Words
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self._traps: list[Trap] = []
        self._lines: list[_Line] = []
        threading.Thread(target=self._listen, name=f"tap-{who}", daemon=True).start()

    def arm(self, trap: Trap) -> None:
        """Wait for somebody at that place; one trap may be armed at several taps."""
        self._traps.append(trap)

    def cut_all(self) -> None:
        """Close every conversation at once, wherever it stands: a network that breaks."""
        for line in self._lines[:]:
            line.close()

    def close(self) -> None:
        """No conversation any more; whoever stands in a trap is cut."""
        self._door.close()
        for trap in self._traps:
            trap.cut()
        self.cut_all()

    def sprung(self, query: bytes, told: bytes) -> Trap | None:
        """The trap this word falls into, if any."""
        found = next((trap for trap in self._traps if trap.takes(self.who, query, told)), None)
        if found:
            self._traps.remove(found)
        return found

    def _listen(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._door.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target()), timeout=3)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                self._lines = [line for line in self._lines if line.open]
                self._lines.append(_Line(self, client, server))


class _Line:
    """One conversation: a thread for each direction."""

    def __init__(self, tap: Tap, client: socket.socket, server: socket.socket) -> None:
        self._tap, self._client, self._server = tap, client, server
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._words = tap.words()
        self._answer: Trap | None = None  # holds back the server's word that it is done
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
            if carry():  # the client has gone; what it said last is still to be heard
                self._server.shutdown(socket.SHUT_WR)
                return
        self.close()

    def _up(self) -> bool:
        while said := self._client.recv(65_536):
            ready = b""
            for message, query in self._words.hear(said):
                trap = self._tap.sprung(query, self._words.told) if query else None
                if trap and trap.moment == "after":
                    self._answer = trap
                elif trap:
                    self._server.sendall(ready)
                    ready = b""
                    if not trap.hold():
                        return False
                self._words.over(query)
                ready += message
            self._server.sendall(ready)
        return True

    def _down(self) -> bool:
        while said := self._server.recv(65_536):
            if not (trap := self._answer) or self._words.done not in said:
                self._client.sendall(said)
                continue
            self._answer = None
            if not trap.hold():
                break
            self._client.sendall(said)
            trap.told()
        return False


class Hears(Protocol):
    """Understands what a client says. `told` is what was said so far of what belongs together, `done` how its
    end is told."""

    told: bytes
    done: bytes

    def hear(self, said: bytes) -> Iterator[tuple[bytes, bytes]]: ...

    def over(self, query: bytes) -> None: ...


class Requests:
    """HTTP: each request by its first line, if a client sends one after the other."""

    told, done = b"", b"HTTP/1."

    def hear(self, said: bytes) -> Iterator[tuple[bytes, bytes]]:
        """What came, as it came; its first line where a request begins."""
        line, _, rest = said.partition(b"\r\n")
        yield said, line if rest and b" HTTP/1." in line else b""

    def over(self, query: bytes) -> None:
        """Nothing belongs to the next request."""


class Words:
    """PostgreSQL: what a client says, message by message; `told` is what its transaction said, with the
    values given."""

    done = b"COMMIT\x00"

    def __init__(self) -> None:
        self.told = b""
        self._begun = False
        self._rest = b""
        self._prepared: dict[bytes, bytes] = {}

    def hear(self, said: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Each whole message with the query it asks; empty where it asks none."""
        self._rest += said
        while message := self._next():
            query = self._query(message) if self._begun else b""
            if not self._begun:
                self._begun = struct.unpack("!i", message[4:8])[0] not in ENCRYPTION
            self.told += query
            yield message, query

    def over(self, query: bytes) -> None:
        """After COMMIT or ROLLBACK a new transaction begins."""
        if _ends(query):
            self.told = b""

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
        if (
            kind == b"P"
        ):  # already here: a server that has heard half of a question no longer counts as waiting for one
            name, query = body.split(b"\x00")[:2]
            self._prepared[name] = query
            return query
        if kind == b"B":
            _, name, given = body.split(b"\x00", 2)
            query = self._prepared.get(name, b"")
            return b"" if not name and _ends(query) else query + b"\n" + given
        return b""


def _ends(query: bytes) -> bool:
    """Whether a transaction ends with it, and another one begins; going back to a savepoint ends nothing."""
    word = query.strip().upper()
    return word.startswith((b"COMMIT", b"BEGIN")) or word == b"ROLLBACK"
