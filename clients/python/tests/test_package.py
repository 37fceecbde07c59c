"""The package carries the licences of the repository, and names the versions that it is tested with."""

from __future__ import annotations

import re
from importlib.metadata import files, metadata
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["LICENSE-APACHE", "LICENSE-MIT"])
def test_a_licence_is_the_repositorys_and_is_installed(name: str) -> None:
    text = (HERE.parents[1] / name).read_bytes()
    assert (HERE / name).read_bytes() == text
    installed = [file for file in files("rescind") or [] if file.name == name]
    assert [file.locate().read_bytes() for file in installed] == [text]  # type: ignore[attr-defined]


def version(pattern: str, file: Path) -> str:
    """The two leading numbers of a version that a file pins."""
    found = re.search(pattern + r"=+(\d+\.\d+)\.", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found.group(1)


def test_the_versions_of_django_that_are_named_are_those_that_are_tested() -> None:
    oldest = version("^django_lts_version", HERE.parents[1] / "tests/run")
    newest = version("^Django", HERE / "requirements.txt")
    classifiers = metadata("rescind").get_all("Classifier") or []
    named = [text.rpartition(" :: ")[2] for text in classifiers if text.startswith("Framework :: Django :: ")]
    assert named == [oldest, newest]
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    assert f"Tested on Python 3.11 with Django {oldest} and {newest}." in readme
