"""The web application: machines' doors, health and the managers' console. It holds no state between
requests."""

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
HEARD_OUT = 4 * 1024 * 1024  # of a body that is refused for its size
log = logging.getLogger("gateway")


def create_app(settings: Settings) -> Flask:
    """The application for `settings`; the process was booted before."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_BODY
    app.extensions["mutuelle"] = open_services(settings)
    for door in (ussd, sms, momo, health, metrics):
        app.register_blueprint(door.bp)
    app.register_blueprint(blueprint.bp)
    app.register_blueprint(open_figures.bp)
    app.jinja_env.filters |= render.FILTERS | indicator_tables.FILTERS
    app.context_processor(blueprint.template_globals)
    app.before_request(_whole_body)
    app.after_request(_heard_out)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(SQLAlchemyError, _database_down)
    app.register_error_handler(Exception, _failed)
    return app


def _whole_body() -> None:
    """A body in pieces says no length, and would be cut at the limit without a word: half a callback would be
    kept as one."""
    if request.content_length is None:
        request.max_content_length = LARGEST_BODY + 1
        if len(request.get_data()) > LARGEST_BODY:
            abort(413)


def _heard_out(response: Response) -> Response:
    """Whoever sends too much is heard out, up to a limit: one who is cut off in the middle never reads the
    answer."""
    if response.status_code == 413:
        ends_by_itself = request.environ.get("wsgi.input_terminated")
        begun = request.__dict__.get("stream")  # where reading has begun already
        stream = (
            request.environ["wsgi.input"] if ends_by_itself else begun or get_input_stream(request.environ)
        )
        left = HEARD_OUT
        while left > 0 and (piece := stream.read(min(left, LARGEST_BODY))):
            left -= len(piece)
    return response


def _refused(error: HTTPException) -> Response:
    """Unknown path or token, wrong method, body too large: said in one line, nothing changed."""
    return plain(f"{error.name}. Nothing was changed.\n", error.code or 500)


def _database_down(error: SQLAlchemyError) -> Response:
    log.error("database: %s", type(error).__name__)
    return plain("The database does not answer; nothing was kept. Please send this again.\n", 503)


def _failed(error: Exception) -> Response:
    log.exception("request failed: %s", type(error).__name__)
    return plain("Something failed inside; nothing was kept. Please send this again.\n", 500)
