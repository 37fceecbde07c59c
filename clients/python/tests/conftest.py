from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from driver import Driver, missing
from service import Service


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that no test stops."""
    service = Service(tmp_path_factory.mktemp("service"))
    yield service
    service.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service of the test's own, which it may stop."""
    service = Service(tmp_path)
    yield service
    service.close()


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    """Browsers and apps. Without what they need the test is skipped, in CI it fails."""
    if what := missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"in CI nothing is skipped: {what}")
        pytest.skip(what)
    driver = Driver()
    yield driver
    driver.close()
