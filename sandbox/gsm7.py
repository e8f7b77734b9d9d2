"""Count what a text weighs on the air: GSM 03.38 septets, or UCS-2 characters when one character is foreign
to it."""

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "^{}\\[~]|€\f"
USSD_SEPTETS = 182
USSD_UCS2 = 80


def septets(text: str) -> int | None:
    """Septets, or None when the text has a character GSM 03.38 lacks.

    >>> septets("CON été"), septets("€"), septets("ê")
    (7, 2, None)
    """
    if any(character not in BASIC and character not in EXTENSION for character in text):
        return None
    return sum(2 if character in EXTENSION else 1 for character in text)


def too_long_for_ussd(body: str) -> str | None:
    """Why the network cannot show this body, or None. 182 septets or 80 UCS-2 characters (GSM 04.80 Annex
    A)."""
    weight = septets(body)
    if weight is None:
        units = len(body.encode("utf-16-be")) // 2
        foreign = sorted({c for c in body if septets(c) is None})
        said = f"{units} UCS-2 characters (because of {''.join(foreign)!r}), the network carries {USSD_UCS2}"
        return said if units > USSD_UCS2 else None
    return f"{weight} septets, the network carries {USSD_SEPTETS}" if weight > USSD_SEPTETS else None
