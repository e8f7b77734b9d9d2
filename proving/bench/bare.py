"""Serves the bare baselines: Flask with a Redis GET and SET, and Flask with a committed INSERT."""

import os

import psycopg_pool
import redis
from flask import Flask, Response, request

from proving.bench.table import INSERT, TABLE

app = Flask(__name__)
cache = redis.Redis.from_url(os.environ["REDIS_URL"])
pool = psycopg_pool.ConnectionPool(os.environ["DATABASE_URL"], min_size=1, max_size=8, open=True)


@app.get("/")
def ready() -> str:
    """Answers when the server is up, and makes its table."""
    with pool.connection() as connection:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {TABLE}")
    return "ready"


@app.post("/turn")
def turn() -> Response:
    """A turn that only reads and writes a session."""
    key = f"bare:{request.form['sessionId']}"
    cache.get(key)
    cache.set(key, request.form["text"], ex=180)
    return Response(
        "CON 1. Ma couverture\n2. Payer\n3. Adherer\n4. Plus", content_type="text/plain; charset=utf-8"
    )


@app.post("/callback")
def callback() -> Response:
    """A callback that is only stored."""
    with pool.connection() as connection:
        connection.execute(INSERT, (request.get_data(),))
    return Response("", status=202)
