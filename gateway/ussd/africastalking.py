"""Africa's Talking USSD: a form with the whole transcript in, `CON …` or `END …` out.

Sources: developers.africastalking.com/docs/ussd/overview and /ussd/handle_sessions (fields, `text` cumulative
with `*`, answer within 10 s as text/plain), /ussd/notifications (end-of-session report), read 2026-11-21 in
public copies. The gateway signs nothing: the secret is in the path.

Assumed, because it is not documented: a leading or doubled `*` in `text` may come and is passed on as it is;
`networkCode` may be absent; what is dialled beyond the code comes in `serviceCode` or as the first `text`,
and the product accepts both.
"""

from collections.abc import Iterable

from gateway import forms
from gateway.ussd.call import UssdEvent, UssdRequest
from mutuelle import phone

CUMULATIVE = True  # `text` is all input since the dial
SEPTETS_MAX = 160  # the whole body, `CON ` counted: whether the prefix counts is not documented, so it does
CONTENT_TYPE = "text/plain; charset=utf-8"
TEXT_MAX = 1000
SESSION_MAX = 128


def read(pairs: forms.Pairs) -> UssdRequest:
    """Reads one turn. `networkCode` is checked but not used.

    Malformed: a field is missing or comes twice, a control character, more than 1,000 characters of text, or
    a phone without `+`.
    """
    form = forms.fields(pairs)
    forms.optional(form, "networkCode", 16)
    return UssdRequest(
        session_id=forms.text(form, "sessionId", SESSION_MAX),
        phone=phone.wire(form.get("phoneNumber")),
        service_code=forms.text(form, "serviceCode", 64),
        text=forms.text(form, "text", TEXT_MAX, empty=True),
    )


def write(text: str, open: bool) -> str:
    """Returns the body of our answer: `CON ` while the session stays `open`, else `END `.

    It does not cut `text`: `menus.fit` proves that each screen fits.
    """
    return ("CON " if open else "END ") + text


def read_event(pairs: forms.Pairs) -> UssdEvent:
    """Reads the end of a session: `Success`, `Incomplete`, `Failed` or a new word.

    `serviceCode` is checked but not used. `input`, `lastAppResponse`, `hopsMetadata` and `errorMessage` are
    not read: they may hold what the caller typed.
    """
    form = forms.fields(pairs)
    forms.text(form, "serviceCode", 64)
    return UssdEvent(
        session_id=forms.text(form, "sessionId", SESSION_MAX),
        phone=phone.wire(form.get("phoneNumber")),
        status=forms.text(form, "status", 40),
        network_code=forms.optional(form, "networkCode", 16),
        at=forms.moment(form, "date"),
        cost=forms.optional(form, "cost", 40),
        duration_ms=forms.count(form, "durationInMillis"),
        hops=forms.count(form, "hopsCount"),
    )


def match_code(service_code: str, known_codes: Iterable[str]) -> tuple[str, str] | None:
    """Returns which of `known_codes` was dialled and what came after it; None when none of them begins it.

    >>> match_code("*384*55*2*1#", ["*384#", "*384*55#"])
    ('*384*55#', '2*1')
    """
    codes = set(known_codes)
    if service_code in codes:
        return service_code, ""
    for code in sorted(codes, key=len, reverse=True):
        stem = code.removesuffix("#") + "*"
        if service_code.startswith(stem) and service_code.endswith("#"):
            return code, service_code[len(stem) : -1]
    return None
