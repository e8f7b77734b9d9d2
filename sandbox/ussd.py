"""Simulates the aggregator's USSD service: sends each input to the product, reports the session's end."""

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

import httpx

from sandbox import http_client
from sandbox.callback_sender import Callback
from sandbox.fault_draws import Subject
from sandbox.gsm7 import too_long_for_ussd
from sandbox.kernel import Kernel, random_name
from sandbox.refusal import Refusal
from sandbox.settings import ServiceCode

GATEWAY = "africastalking"
ANSWER_WITHIN_S = 10.0
SESSION_S = 180
INPUT_MOST = 182
HOP_LABEL = "at-ussd-hop-metadata"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class PhoneSession:
    """A phone's USSD session. `status` is None while open, then Success, Incomplete or Failed."""

    session_id: str
    phone: str
    code: ServiceCode
    opened_at: datetime
    inputs: list[str] = field(default_factory=list)
    turns: int = 0
    labels: list[str] = field(default_factory=list)
    response: str = ""
    screen: str = ""
    status: str | None = None
    error: str | None = None
    turn_lock: threading.Lock = field(default_factory=threading.Lock)

    def as_json(self) -> dict[str, object]:
        """Returns the answer of the control API; `error` only when the product's answer was invalid."""
        values: dict[str, object] = {
            "session": self.session_id,
            "screen": self.screen,
            "open": self.status is None,
        }
        return {**values, "error": self.error} if self.error else values


class Ussd:
    """Keeps one session per phone. Sessions do not survive a restart, as a network would drop them."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._account = kernel.settings.africastalking
        self._sessions: dict[str, PhoneSession] = {}
        self._http = http_client.client(timeout=ANSWER_WITHIN_S)

    def dial(self, phone: str, dialled: str) -> PhoneSession:
        """Starts a session; hangs up an open one on this phone first.

        `*384*55*2*1#` is the service code `*384*55#` plus a shortcut. Africa's Talking does not say where a
        shortcut arrives; here serviceCode is that code and the shortcut is the first `text` (`2*1`).
        """
        code, shortcut = self._match_code(dialled)
        self.hang_up(phone)
        session = PhoneSession(
            f"ATUid_{random_name('0123456789abcdef', 32)}", phone, code, self._kernel.clock.now()
        )
        session.inputs.extend(shortcut)
        with self._kernel.lock:
            self._sessions[phone] = session
        with session.turn_lock:
            self._send_turn(session)
        return session

    def reply(self, phone: str, pressed: str) -> PhoneSession:
        """Sends an input; `text` grows by `*` and the input, which may itself hold a star."""
        if len(pressed) > INPUT_MOST or any(ord(character) < 32 for character in pressed):
            raise Refusal(
                400, "a phone cannot send this input", f"send at most {INPUT_MOST} characters on one line"
            )
        session = self._open_session(phone)
        if not session.turn_lock.acquire(blocking=False):
            raise Refusal(409, "the last input is still on its way", "wait for its answer")
        try:
            if self._timed_out(session):
                self._end(session, "Incomplete")
                raise Refusal(409, f"the session ended after {SESSION_S} s", "dial again")
            session.inputs.append(pressed)
            self._send_turn(session)
        finally:
            session.turn_lock.release()
        return session

    def hang_up(self, phone: str) -> PhoneSession | None:
        """Closes the open session, if any, and reports it as Incomplete."""
        with self._kernel.lock:
            session = self._sessions.get(phone)
            if session is not None and session.status is None:
                self._end(session, "Incomplete")
            return session

    def last(self, phone: str) -> PhoneSession | None:
        with self._kernel.lock:
            return self._sessions.get(phone)

    def end_late_sessions(self) -> None:
        with self._kernel.lock:
            for session in self._sessions.values():
                if session.status is None and self._timed_out(session):
                    self._end(session, "Incomplete")

    def close(self) -> None:
        self._http.close()

    def _match_code(self, dialled: str) -> tuple[ServiceCode, list[str]]:
        matches: list[tuple[int, ServiceCode, list[str]]] = []
        for code in self._account.codes:
            stem = code.code.removesuffix("#")
            if dialled == code.code:
                matches.append((len(stem), code, []))
            elif dialled.startswith(stem + "*") and dialled.endswith("#"):
                matches.append((len(stem), code, dialled[len(stem) + 1 : -1].split("*")))
        if not matches:
            codes = ", ".join(code.code for code in self._account.codes)
            raise Refusal(404, f"nobody rents the code {dialled!r}", f"dial one of {codes}")
        _, code, shortcut = max(matches, key=lambda match: match[0])
        return code, shortcut

    def _open_session(self, phone: str) -> PhoneSession:
        session = self.last(phone)
        if session is None or session.status is not None:
            raise Refusal(409, "this phone has no open session", "dial first")
        return session

    def _timed_out(self, session: PhoneSession) -> bool:
        return (self._kernel.clock.now() - session.opened_at).total_seconds() >= SESSION_S

    def _send_turn(self, session: PhoneSession) -> None:
        """Posts the inputs and checks the answer. The duplicate fault posts the same turn twice."""
        session.turns += 1
        subject = Subject(GATEWAY, self._account.username, session.phone, session.session_id)
        repeated = self._kernel.faults.strikes("duplicate", subject, session.turns, "ussd.turn")
        for _ in range(2 if repeated else 1):
            body, error = self._ask(session)
        with self._kernel.lock:
            if session.status is not None:
                return  # The phone hung up before the answer came.
            session.response = body
            if error:
                session.screen, session.error = "", error
                self._end(session, "Failed")
                return
            session.screen = body[4:]
            if body.startswith("END "):
                self._end(session, "Success")

    def _ask(self, session: PhoneSession) -> tuple[str, str | None]:
        """Returns the body of the answer, and its error or None."""
        form = {
            "sessionId": session.session_id,
            "phoneNumber": session.phone,
            "networkCode": self._network(session.phone),
            "serviceCode": session.code.code,
            "text": "*".join(session.inputs),
        }
        headers = {**FORM, HOP_LABEL: session.labels[-1]} if session.labels else FORM
        started = time.monotonic()
        try:
            answer = self._http.post(session.code.url, content=urlencode(form), headers=headers)
        except httpx.TimeoutException:
            return "", f"no answer within {ANSWER_WITHIN_S:.0f} s"
        except httpx.HTTPError as error:
            return "", f"the callback could not be reached: {type(error).__name__}"
        if time.monotonic() - started > ANSWER_WITHIN_S:
            return "", f"the answer took longer than {ANSWER_WITHIN_S:.0f} s"
        return self._judge(session, answer)

    def _judge(self, session: PhoneSession, answer: httpx.Response) -> tuple[str, str | None]:
        if answer.status_code != 200:
            return "", f"HTTP {answer.status_code} instead of 200"
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/plain":
            return "", f"Content-Type {kind!r} instead of text/plain"
        body = answer.content.decode("utf-8", errors="replace")
        if not body.startswith(("CON ", "END ")):
            return body[:200], f"the body begins {body[:8]!r} instead of 'CON ' or 'END '"
        label = answer.headers.get(HOP_LABEL, "")
        if label:
            if len(label) > 99 or "|" in label:
                return body, f"{HOP_LABEL} must be at most 99 characters without '|'"
            session.labels.append(label)
        return body, too_long_for_ussd(body)

    def _network(self, phone: str) -> str:
        """Returns the network's code: AT publishes 63510 for MTN Rwanda; its sandbox code 99999 otherwise."""
        prefixes = self._account.numbers
        return next(
            (prefixes[p] for p in sorted(prefixes, reverse=True) if phone.startswith(p)),
            self._account.network_code,
        )

    def _end(self, session: PhoneSession, status: str) -> None:
        """Closes the session and reports its end; the caller holds the lock or the session's `turn_lock`."""
        with self._kernel.lock:
            if session.status is not None:
                return
            session.status = status
        if session.code.events is None:
            return
        now = self._kernel.clock.now()
        form = {
            "date": now.strftime("%Y-%m-%d %H:%M:%S"),
            "sessionId": session.session_id,
            "serviceCode": session.code.code,
            "networkCode": self._network(session.phone),
            "phoneNumber": session.phone,
            "status": status,
            "cost": self._account.ussd_cost,
            "durationInMillis": str(int((now - session.opened_at).total_seconds() * 1000)),
            "hopsCount": str(session.turns),
            "hopsMetadata": "|".join(session.labels),
            "input": "*".join(session.inputs),
            "lastAppResponse": session.response,
        }
        if status == "Failed":
            form["errorMessage"] = session.error or ""
        subject = Subject(GATEWAY, self._account.username, session.phone, session.session_id)
        body = urlencode(form).encode()
        self._kernel.callbacks.post(Callback(subject, "ussd.end", session.code.events, body, lambda _: FORM))
