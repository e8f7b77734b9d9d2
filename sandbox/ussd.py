"""The aggregator's USSD side: carry each key press to the product as Africa's Talking does, and report how a
session ended."""

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

import httpx

from sandbox.courier import Letter
from sandbox.faults import Subject
from sandbox.gsm7 import too_long_for_ussd
from sandbox.kernel import Kernel, made_up
from sandbox.refusal import Refusal
from sandbox.settings import ServiceCode

GATEWAY = "africastalking"
ANSWER_WITHIN_S = 10.0
SESSION_S = 180
INPUT_MOST = 182
HOP_LABEL = "at-ussd-hop-metadata"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Call:
    """One USSD session of one phone. `status` is None while open, then Success, Incomplete or Failed."""

    session: str
    phone: str
    code: ServiceCode
    opened_at: datetime
    inputs: list[str] = field(default_factory=list)
    hops: int = 0
    labels: list[str] = field(default_factory=list)
    response: str = ""
    screen: str = ""
    status: str | None = None
    error: str | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)

    def shown(self) -> dict[str, object]:
        """What the control API answers; `error` only when the product answered badly."""
        seen: dict[str, object] = {
            "session": self.session,
            "screen": self.screen,
            "open": self.status is None,
        }
        return {**seen, "error": self.error} if self.error else seen


class Ussd:
    """Open sessions, one per phone. Sessions are not kept over a restart, as a network would drop them."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._account = kernel.settings.africastalking
        self._calls: dict[str, Call] = {}
        self._http = httpx.Client(timeout=ANSWER_WITHIN_S, trust_env=False)

    def dial(self, phone: str, dialled: str) -> Call:
        """Begin a session; one still open on this phone is hung up first.

        `*384*55*2*1#` is the known code `*384*55#` plus a shortcut. Africa's Talking does not say where a
        shortcut arrives; here serviceCode is the known code and the shortcut is the first `text` (`2*1`).
        """
        code, shortcut = self._known(dialled)
        self.hang_up(phone)
        call = Call(f"ATUid_{made_up('0123456789abcdef', 32)}", phone, code, self._kernel.clock.now())
        call.inputs.extend(shortcut)
        with self._kernel.lock:
            self._calls[phone] = call
        with call.turn:
            self._hop(call)
        return call

    def reply(self, phone: str, pressed: str) -> Call:
        """Send what was typed; the transcript grows by `*` and the input, which may itself hold a star."""
        if len(pressed) > INPUT_MOST or any(ord(character) < 32 for character in pressed):
            raise Refusal(
                400, "a phone cannot send this input", f"send at most {INPUT_MOST} characters on one line"
            )
        call = self._open_call(phone)
        if not call.turn.acquire(blocking=False):
            raise Refusal(409, "the last input is still on its way", "wait for its answer")
        try:
            if self._late(call):
                self._end(call, "Incomplete")
                raise Refusal(409, f"the session ended after {SESSION_S} s", "dial again")
            call.inputs.append(pressed)
            self._hop(call)
        finally:
            call.turn.release()
        return call

    def hang_up(self, phone: str) -> Call | None:
        """Close the open session, if any: its end is reported as Incomplete."""
        with self._kernel.lock:
            call = self._calls.get(phone)
            if call is not None and call.status is None:
                self._end(call, "Incomplete")
            return call

    def last(self, phone: str) -> Call | None:
        with self._kernel.lock:
            return self._calls.get(phone)

    def end_late_sessions(self) -> None:
        with self._kernel.lock:
            for call in self._calls.values():
                if call.status is None and self._late(call):
                    self._end(call, "Incomplete")

    def close(self) -> None:
        self._http.close()

    def _known(self, dialled: str) -> tuple[ServiceCode, list[str]]:
        found: list[tuple[int, ServiceCode, list[str]]] = []
        for code in self._account.codes:
            stem = code.code.removesuffix("#")
            if dialled == code.code:
                found.append((len(stem), code, []))
            elif dialled.startswith(stem + "*") and dialled.endswith("#"):
                found.append((len(stem), code, dialled[len(stem) + 1 : -1].split("*")))
        if not found:
            codes = ", ".join(code.code for code in self._account.codes)
            raise Refusal(404, f"nobody rents the code {dialled!r}", f"dial one of {codes}")
        _, code, shortcut = max(found, key=lambda match: match[0])
        return code, shortcut

    def _open_call(self, phone: str) -> Call:
        call = self.last(phone)
        if call is None or call.status is not None:
            raise Refusal(409, "this phone has no open session", "dial first")
        return call

    def _late(self, call: Call) -> bool:
        return (self._kernel.clock.now() - call.opened_at).total_seconds() >= SESSION_S

    def _hop(self, call: Call) -> None:
        """One turn: post the transcript, judge the answer. The duplicate fault posts the same turn twice."""
        call.hops += 1
        subject = Subject(GATEWAY, self._account.username, call.phone, call.session)
        twice = self._kernel.faults.strikes("duplicate", subject, call.hops, "ussd.turn")
        for _ in range(2 if twice else 1):
            body, wrong = self._ask(call)
        with self._kernel.lock:
            if call.status is not None:
                return  # Hung up while the answer was on its way.
            call.response = body
            if wrong:
                call.screen, call.error = "", wrong
                self._end(call, "Failed")
                return
            call.screen = body[4:]
            if body.startswith("END "):
                self._end(call, "Success")

    def _ask(self, call: Call) -> tuple[str, str | None]:
        """The body of the answer and what is wrong with it."""
        form = {
            "sessionId": call.session,
            "phoneNumber": call.phone,
            "networkCode": self._network(call.phone),
            "serviceCode": call.code.code,
            "text": "*".join(call.inputs),
        }
        headers = {**FORM, HOP_LABEL: call.labels[-1]} if call.labels else FORM
        begun = time.monotonic()
        try:
            answer = self._http.post(call.code.url, content=urlencode(form), headers=headers)
        except httpx.TimeoutException:
            return "", f"no answer within {ANSWER_WITHIN_S:.0f} s"
        except httpx.HTTPError as error:
            return "", f"the callback could not be reached: {type(error).__name__}"
        if time.monotonic() - begun > ANSWER_WITHIN_S:
            return "", f"the answer took longer than {ANSWER_WITHIN_S:.0f} s"
        return self._judge(call, answer)

    def _judge(self, call: Call, answer: httpx.Response) -> tuple[str, str | None]:
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
            call.labels.append(label)
        return body, too_long_for_ussd(body)

    def _network(self, phone: str) -> str:
        """The network's code. AT publishes 63510 for MTN Rwanda; elsewhere its sandbox's code (99999) stands
        in."""
        prefixes = self._account.numbers
        return next(
            (prefixes[p] for p in sorted(prefixes, reverse=True) if phone.startswith(p)),
            self._account.network_code,
        )

    def _end(self, call: Call, status: str) -> None:
        """Close and report; the caller holds the lock or the call's turn."""
        with self._kernel.lock:
            if call.status is not None:
                return
            call.status = status
        if call.code.events is None:
            return
        now = self._kernel.clock.now()
        form = {
            "date": now.strftime("%Y-%m-%d %H:%M:%S"),
            "sessionId": call.session,
            "serviceCode": call.code.code,
            "networkCode": self._network(call.phone),
            "phoneNumber": call.phone,
            "status": status,
            "cost": self._account.ussd_cost,
            "durationInMillis": str(int((now - call.opened_at).total_seconds() * 1000)),
            "hopsCount": str(call.hops),
            "hopsMetadata": "|".join(call.labels),
            "input": "*".join(call.inputs),
            "lastAppResponse": call.response,
        }
        if status == "Failed":
            form["errorMessage"] = call.error or ""
        subject = Subject(GATEWAY, self._account.username, call.phone, call.session)
        body = urlencode(form).encode()
        self._kernel.courier.post(Letter(subject, "ussd.end", call.code.events, body, lambda _: FORM))
