"""The web application: webhooks, health, metrics, the console and the open figures. Keeps no state."""

import logging

from flask import Flask, Response, abort, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import get_input_stream

from config.settings import Settings
from gateway.console import blueprint, indicator_tables, open_figures, render
from gateway.hooks import health, metrics, momo, sms, ussd
from gateway.hooks.replies import plain
from gateway.services import open_services

LARGEST_BODY = 64 * 1024
MOST_DRAINED = 4 * 1024 * 1024  # bytes read of a body that is refused for its size
log = logging.getLogger("gateway.app")


def create_app(settings: Settings) -> Flask:
    """The application for `settings`. Boot the process first."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_BODY
    app.extensions["mutuelle"] = open_services(settings)
    for hook in (ussd, sms, momo, health, metrics):
        app.register_blueprint(hook.bp)
    app.register_blueprint(blueprint.bp)
    app.register_blueprint(open_figures.bp)
    app.jinja_env.filters |= render.FILTERS | indicator_tables.FILTERS
    app.context_processor(blueprint.template_globals)
    app.before_request(_read_chunked_body)
    app.after_request(_drain_too_large)
    app.register_error_handler(HTTPException, _answer_refused)
    app.register_error_handler(SQLAlchemyError, _answer_database_down)
    app.register_error_handler(Exception, _answer_failed)
    return app


def _read_chunked_body() -> None:
    """Reads a chunked body at once. It states no length, so that a large one would be cut off silently."""
    if request.content_length is None:
        request.max_content_length = LARGEST_BODY + 1
        if len(request.get_data()) > LARGEST_BODY:
            abort(413)


def _drain_too_large(response: Response) -> Response:
    """Drains an oversized request body (up to 4 MiB) so that the client can read the 413."""
    if response.status_code == 413:
        ends_by_itself = request.environ.get("wsgi.input_terminated")
        if ends_by_itself:
            stream = request.environ["wsgi.input"]
        else:  # the stream that is being read already, if any
            stream = request.__dict__.get("stream") or get_input_stream(request.environ)
        left = MOST_DRAINED
        while left > 0 and (piece := stream.read(min(left, LARGEST_BODY))):
            left -= len(piece)
    return response


def _answer_refused(error: HTTPException) -> Response:
    """One line for an unknown path or token, a wrong method or a body that is too large."""
    return plain(f"{error.name}. Nothing was changed.\n", error.code or 500)


def _answer_database_down(error: SQLAlchemyError) -> Response:
    log.error("database: %s", type(error).__name__)
    return plain("The database does not answer; nothing was kept. Please send this again.\n", 503)


def _answer_failed(error: Exception) -> Response:
    log.exception("request failed: %s", type(error).__name__)
    return plain("Something failed inside; nothing was kept. Please send this again.\n", 500)
