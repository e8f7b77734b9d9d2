"""Says how old something must be before `mutuelle verify` calls it late."""

from datetime import datetime, timedelta

from mutuelle import clock

GIVE_UP = timedelta(minutes=15)  # of operators (I4)
SENDING = timedelta(hours=1)  # a worker's lease of a message ends after minutes


def late() -> datetime:
    """Returns the moment before which a request or a notice should have ended."""
    return clock.now() - GIVE_UP


def sent_long_ago() -> datetime:
    """Returns the moment before which a message that is being sent should have an outcome."""
    return clock.now() - SENDING
