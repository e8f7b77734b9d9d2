"""Writes logs: one line of JSON per event, without PINs, phone numbers or path tokens."""

import json
import logging
import re
import sys
from types import TracebackType

# Eight digits or more, perhaps grouped, are a phone or member number; beside a USSD star even a short run may
# be a PIN.
PHONE = re.compile(r"\+?\d(?:[ .\u00a0\u202f-]?\d){7,}")
_TYPED = re.compile(
    r"(?<![\d*])(?<!%2a)(?:\d|\*|%2a)*(?:\d(?:\*|%2a)|(?:\*|%2a)\d)(?:\d|\*|%2a)*", re.IGNORECASE
)
_TOKEN = re.compile(r"(/(?:ussd|sms|momo)/[^/\s]+/)[^/\s?\"]+")
_UUID = re.compile(r"([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})")
# PostgreSQL adds the refused row, with names in it, to its messages.
_ROW = re.compile(r"\b(D[EÉ]TAIL|CONTEXTE?)\s?:.*")


def clean(text: str) -> str:
    """`text` without what must not be logged. UUIDs, which are our own references, stay.

    >>> clean("POST /ussd/africastalking/s3cret/events from +221770000001 text=1*2*1234")
    'POST /ussd/africastalking/***/events from *** text=***'
    """
    text = _ROW.sub(r"\1: ***", _TOKEN.sub(r"\1***", text))
    parts = _UUID.split(text)  # every second one is a UUID
    parts[::2] = [PHONE.sub("***", _TYPED.sub("***", part)) for part in parts[::2]]
    return "".join(parts)


class LineFormatter(logging.Formatter):
    """Formats a record as one line, also when the message contains line breaks."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "from": record.name,
            "said": clean(record.getMessage()),
        }
        if record.exc_info:
            line["trace"] = clean(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Logs an uncaught exception, which ends the process, in the same format."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("process").critical("ends: %s", kind.__name__, exc_info=(kind, error, trace))


def set_up(level: str) -> None:
    """Logs to standard error, without the lines of RQ and httpx, which may name arguments and addresses."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.raiseExceptions = False  # a line that cannot be formatted would be printed with its raw arguments
    sys.excepthook = _log_uncaught
    # fontTools warns of tables that a page to print does not need.
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    for noisy in ("rq", "httpx", "httpcore", "alembic", "sqlalchemy.engine"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
