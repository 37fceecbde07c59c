"""The package carries the licences of the repository."""

from __future__ import annotations

from importlib.metadata import files
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["LICENSE-APACHE", "LICENSE-MIT"])
def test_a_licence_is_the_repositorys_and_is_installed(name: str) -> None:
    text = (HERE.parents[1] / name).read_bytes()
    assert (HERE / name).read_bytes() == text
    installed = [file for file in files("rescind") or [] if file.name == name]
    assert [file.locate().read_bytes() for file in installed] == [text]  # type: ignore[attr-defined]
