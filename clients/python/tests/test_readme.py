"""The README's programs are Python, and its settings are accepted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from rescind import Rejected, Verifier
from rescind.django.settings import RescindSettings
from service import Service

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def program(number: int) -> str:
    found: list[str] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    return found[number]


def test_the_first_program_runs(shared_service: Service, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("RESCIND_SERVICE_KEY", shared_service.service_key("feed"))
    session = shared_service.register("reader")
    for token, said in [
        (session["access"], f"{session['user']['id']} on device"),
        ("garbage", "401 token_invalid"),
    ]:
        text = program(0).replace("https://id.example", shared_service.url).replace("v4.public.…", token)
        names: dict[str, Any] = {}
        exec(text, names)
        assert said in capsys.readouterr().out
        assert isinstance(names["verifier"], Verifier)
        assert names["Rejected"] is Rejected
        names["verifier"].close()


def test_the_settings_are_accepted(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("rescind_sk_x")
    names: dict[str, Any] = {}
    exec(program(1).replace("/run/secrets/rescind-service-key", str(file)), names)
    assert RescindSettings.read(names["RESCIND"]).mode == "feed"


def test_the_settings_of_sessions_are_accepted(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("rescind_sk_x")
    text = program(2).replace("/run/secrets/rescind-service-key", str(file)).replace("...,", "")
    names: dict[str, Any] = {}
    exec(text, names)
    assert RescindSettings.read(names["RESCIND"]).user_field == "EXTERNAL_ID_FIELD"
    assert names["MIDDLEWARE"][-1] == "rescind.django.sessions.DeviceSessionMiddleware"
