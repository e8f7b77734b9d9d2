"""Logs: one line of JSON per event, in which no PIN, phone number or path token can appear."""

import json
import logging
import re
import sys

# Eight digits or more, perhaps grouped, are a phone or member number; after a USSD star even a short run may be a PIN.
_PHONE = re.compile(r"\+?\d(?:[ .-]?\d){7,}")
_TYPED = re.compile(r"\d+(?:\*\d+)+")
_TOKEN = re.compile(r"(/(?:ussd|sms|momo)/[a-z]+/)[^/\s?\"]+")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def clean(text: str) -> str:
    """The text without what must not be logged; UUIDs, which are our own references, stay.

    >>> clean("POST /ussd/africastalking/s3cret/events from +221770000001 text=1*2*1234")
    'POST /ussd/africastalking/***/events from *** text=***'
    """
    kept: list[str] = _UUID.findall(text)
    text = _UUID.sub("\0", _TOKEN.sub(r"\1***", text))
    text = _PHONE.sub("***", _TYPED.sub("***", text))
    for reference in kept:
        text = text.replace("\0", reference, 1)
    return text


class Line(logging.Formatter):
    """One record as one line; line breaks cannot be smuggled in."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "from": record.name,
            "said": clean(record.getMessage()),
        }
        if record.exc_info:
            told["trace"] = clean(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False)


def set_up(level: str) -> None:
    """Log to standard error from now on. RQ's and httpx's own lines, which may name arguments and addresses, stay silent."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("rq", "httpx", "httpcore", "alembic", "sqlalchemy.engine"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
