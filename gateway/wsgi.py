"""The WSGI application that a web server loads: `gateway.wsgi:app`."""

from config import memory
from config.settings import load
from gateway.app import create_app
from mutuelle import startup

settings = load()
startup.boot(settings, pool=settings.web_threads)
app = create_app(settings)
memory.settle()
