"""Counts a text in GSM 03.38 septets, or in UCS-2 characters when the alphabet lacks a character."""

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "^{}\\[~]|€\f"
USSD_SEPTETS = 182
USSD_UCS2 = 80


def septets(text: str) -> int | None:
    """Returns the number of septets, or None when the text has a character GSM 03.38 lacks.

    >>> septets("CON été"), septets("€"), septets("ê")
    (7, 2, None)
    """
    if any(character not in BASIC and character not in EXTENSION for character in text):
        return None
    return sum(2 if character in EXTENSION else 1 for character in text)


def too_long_for_ussd(body: str) -> str | None:
    """Returns why the network cannot show this body, or None (limits: GSM 04.80 Annex A)."""
    weight = septets(body)
    if weight is None:
        units = len(body.encode("utf-16-be")) // 2
        foreign = sorted({c for c in body if septets(c) is None})
        reason = (
            f"{units} UCS-2 characters (because of {''.join(foreign)!r}), the network carries {USSD_UCS2}"
        )
        return reason if units > USSD_UCS2 else None
    return f"{weight} septets, the network carries {USSD_SEPTETS}" if weight > USSD_SEPTETS else None
