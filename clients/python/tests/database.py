"""A database of the tests' PostgreSQL for a Django site; without one, a file of SQLite."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg


@contextmanager
def database_in(folder: Path) -> Iterator[str]:
    """An empty database that is gone afterwards: its URL, or the path of a file in the folder without `TEST_DATABASE_URL`."""
    server = os.environ.get("TEST_DATABASE_URL")
    if server is None:
        yield str(folder / "shop.sqlite3")
        return
    name = f"rescind_shop_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
        try:
            yield f"{server.rpartition('/')[0]}/{name}"
        finally:
            connection.execute(f'drop database "{name}" with (force)')
