from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from database import database_in
from example.clients import Browser, NewApp, OldApp
from example.guide import SLOW_HASHES, GuidedShop
from example.proxy import Proxy
from example.user import User
from service import Service


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="module")
def database(folder: Path) -> Iterator[str]:
    with database_in(folder) as database:
        yield database


@pytest.fixture(scope="module")
def shop(folder: Path, database: str) -> Iterator[GuidedShop]:
    """The shop, and beside it a service that knows nobody yet."""
    service = Service(folder, *SLOW_HASHES)
    shop = GuidedShop(folder, service, database)
    shop.manage("start", "migrate", "--verbosity=0")
    yield shop
    shop.close()
    service.close()


@pytest.fixture
def proxy(shop: GuidedShop) -> Iterator[Proxy]:
    """The reverse proxy in front of the shop."""
    with contextlib.closing(Proxy(shop.url)) as proxy:
        yield proxy


@pytest.fixture
def ada(shop: GuidedShop, proxy: Proxy) -> Iterator[User]:
    """A user of the test's own, who is signed in nowhere yet."""
    name = f"ada-{uuid4().hex}"
    (key,) = shop.add_users(name)
    with contextlib.ExitStack() as stack:
        browser = stack.enter_context(contextlib.closing(Browser(proxy.url)))
        old_app = stack.enter_context(contextlib.closing(OldApp(proxy.url)))
        new_app = stack.enter_context(contextlib.closing(NewApp(shop.service, proxy.url)))
        yield User(name, f"external_id:{key}", browser, old_app, new_app)
