"""What a web server loads: `gateway.wsgi:app`."""

from config import memory
from config.settings import load
from gateway.app import boot, create_app

settings = load()
boot(settings, pool=settings.web_threads)
app = create_app(settings)
memory.settle()
