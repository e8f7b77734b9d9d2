"""Africa's Talking USSD: a form with the whole transcript in, `CON …` or `END …` out.

Sources: developers.africastalking.com/docs/ussd/overview and /ussd/handle_sessions (fields, `text` cumulative
with `*`, answer within 10 s as text/plain), /ussd/notifications (end-of-session report), read 2026-11-21 in
public copies; details and gaps in our research notes, `ussd-sms.md` §1. The stranger signs nothing: the
secret is in the path.

Not documented and so assumed: a leading or doubled `*` in `text` may come and is passed on as it is;
`networkCode` may be absent; what is dialled beyond the code comes in `serviceCode` or as the first `text`,
and both are understood.
"""

from collections.abc import Iterable

from gateway import forms
from gateway.ussd.call import UssdEvent, UssdRequest
from mutuelle import phone

CUMULATIVE = True  # `text` is everything typed since the dial
SEPTETS_MAX = 160  # the whole body, `CON ` counted: whether the prefix counts is not documented, so it does
CONTENT_TYPE = "text/plain; charset=utf-8"
TEXT_MAX = 1000
SESSION_MAX = 128


def read(pairs: forms.Pairs) -> UssdRequest:
    """One turn. Malformed: a field missing or twice, control characters, over 1,000 letters of text, a phone
    without `+`."""
    form = forms.fields(pairs)
    return UssdRequest(
        session_id=forms.text(form, "sessionId", SESSION_MAX),
        phone=phone.wire(form.get("phoneNumber")),
        service_code=forms.text(form, "serviceCode", 64),
        text=forms.text(form, "text", TEXT_MAX, empty=True),
        network_code=forms.maybe(form, "networkCode", 16),
    )


def write(text: str, open: bool) -> str:
    """The body of our answer: `CON ` while the session stays `open`, else `END `. Fitting it is the screen's
    business."""
    return ("CON " if open else "END ") + text


def read_event(pairs: forms.Pairs) -> UssdEvent:
    """`Success`, `Incomplete`, `Failed` or a new word. Not read: `input`, `lastAppResponse`, `hopsMetadata`,
    `errorMessage`."""
    form = forms.fields(pairs)
    return UssdEvent(
        session_id=forms.text(form, "sessionId", SESSION_MAX),
        phone=phone.wire(form.get("phoneNumber")),
        service_code=forms.text(form, "serviceCode", 64),
        status=forms.text(form, "status", 40),
        network_code=forms.maybe(form, "networkCode", 16),
        at=forms.moment(form, "date"),
        cost=forms.maybe(form, "cost", 40),
        duration_ms=forms.count(form, "durationInMillis"),
        hops=forms.count(form, "hopsCount"),
    )


def dialled(service_code: str, known_codes: Iterable[str]) -> tuple[str, str] | None:
    """Which of our codes was dialled and what came after it; None when none of `known_codes` begins it.

    >>> dialled("*384*55*2*1#", ["*384#", "*384*55#"])
    ('*384*55#', '2*1')
    """
    known = set(known_codes)
    if service_code in known:
        return service_code, ""
    for code in sorted(known, key=len, reverse=True):
        stem = code.removesuffix("#") + "*"
        if service_code.startswith(stem) and service_code.endswith("#"):
            return code, service_code[len(stem) : -1]
    return None
