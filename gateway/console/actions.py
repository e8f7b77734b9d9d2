"""Runs the action of a form and redirects, or shows the form's page again with the refusal."""

from collections.abc import Callable

from flask import abort, redirect, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from gateway.console import login_session
from gateway.doorbell import QueueName
from gateway.services import services
from mutuelle.errors import Missing, Refused, UnreadableBooks

Answer = Response | tuple[str, int]
YES = "oui"  # the value of a ticked box and of a button that says yes


def perform(
    action: Callable[[Session], str],
    show_refusal: Callable[[Session, Refused], Answer],
    within_s: float = 20,
) -> Answer:
    """Runs `action` and redirects to the address it returns; on Refused rolls back and runs `show_refusal`.

    Missing becomes 404: this mutuelle has no such row. Any other exception, such as a KeyError, is a defect
    of ours: the blueprint logs it and answers 500. Rings a worker, because the action may have queued an SMS.
    """
    with login_session.transaction(within_s) as session:
        try:
            with session.begin_nested():  # the page of a refusal is rendered in the same transaction
                address = action(session)
        except Missing:
            abort(404)
        except UnreadableBooks:
            return show_refusal(session, Refused("household.unreadable"))
        except Refused as refusal:
            return show_refusal(session, refusal)
    services().doorbell.ring(QueueName.MESSAGES)
    return redirect(address, 303)


def shown_version() -> int:
    """Returns the version or count that the page showed (field `vu`), -1 without one.

    The action is refused if it has changed since.
    """
    return request.form.get("vu", -1, type=int)
