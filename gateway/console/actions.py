"""What a person does with a form: it is done whole and the browser is sent on, or refused, and its page says
why."""

from collections.abc import Callable

from flask import abort, redirect
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from gateway.console import login_session
from gateway.services import services
from mutuelle.errors import Missing, Refused

Answer = Response | tuple[str, int]


def act(
    do: Callable[[Session], str], refused: Callable[[Session, Refused], Answer], within_s: float = 20
) -> Answer:
    """Do it and send the browser where `do` says; what is refused leaves nothing behind, and `refused` shows
    its page.

    Missing is 404: nothing of this mutuelle is called so. A slip of ours, such as a KeyError, is logged
    above. The workers hear that an SMS may have been written.
    """
    with login_session.acting(within_s) as session:
        try:
            with session.begin_nested():  # the page of a refusal is still shown in the same transaction
                onward = do(session)
        except Missing:
            abort(404)
        except Refused as why:
            return refused(session, why)
    services().doorbell.ring("messages")
    return redirect(onward, 303)
