from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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
