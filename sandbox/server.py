"""Serves the sandbox over HTTP: one process, a thread per request, every refusal as JSON."""

import logging
import threading

from flask import Flask, Response, jsonify, send_from_directory
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox import control, control_phones, mtn, sms, wave
from sandbox.refusal import Refusal
from sandbox.settings import Settings
from sandbox.world import World

BODY_MOST = 64 * 1024
log = logging.getLogger("sandbox.http")


class QuietHandler(WSGIRequestHandler):
    """Logs requests and dropped connections at debug level only."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        log.debug("%s %s", self.requestline, code)

    def connection_dropped(self, error: BaseException, environ: object = None) -> None:
        log.debug("connection dropped: %s", error)


class KeepAliveHandler(QuietHandler):
    """Keeps connections open: the simulator sends ten thousand requests."""

    protocol_version = "HTTP/1.1"


def _handler(settings: Settings) -> type[WSGIRequestHandler]:
    return KeepAliveHandler if settings.virtual else QuietHandler


def app_of(world: World) -> Flask:
    """Returns the Flask application of a world; the caller starts the world."""
    app = Flask("sandbox")
    app.config["MAX_CONTENT_LENGTH"] = BODY_MOST
    app.json.sort_keys = False  # type: ignore[attr-defined]
    for blueprint in (
        control.blueprint(world),
        control.faults(world),
        control.clock(world),
        control.operators(world),
        control_phones.blueprint(world),
        control_phones.ussd(world),
        sms.blueprint(world.kernel, world.sms),
        wave.blueprint(world.kernel, world.wave),
        wave.payer_page(world.wave),
        mtn.blueprint(world.kernel, world.mtn, world.truth),
    ):
        app.register_blueprint(blueprint)

    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> tuple[Response, int]:
        return jsonify({"error": refusal.error, "do": refusal.do}), refusal.status

    @app.errorhandler(HTTPException)
    def unknown(error: HTTPException) -> tuple[Response, int]:
        return jsonify({"error": error.name, "do": error.description or ""}), error.code or 500

    @app.get("/")
    def page() -> Response:
        return send_from_directory(app.static_folder or "static", "index.html")

    return app


class SandboxServer:
    """A started sandbox: `url`, and `stop()`. Port 0 chooses a free one."""

    def __init__(self, settings: Settings) -> None:
        self._stopped = False
        self.world = World.of(settings)
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", settings.port, app_of(self.world), threaded=True, request_handler=_handler(settings)
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.world.start()
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="sandbox-http", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        self.world.kernel.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.world.stop()
