"""The flow with the client of openapi-python-client, which returns errors."""

from __future__ import annotations

import os

from rescind_functions import AuthenticatedClient, Client
from rescind_functions.api.devices import end_device, list_devices
from rescind_functions.api.sessions import login, logout_all, me, refresh, register
from rescind_functions.models import (
    Credentials,
    DeviceInput,
    DeviceList,
    Login,
    Me,
    Problem,
    Refresh,
    Session,
    SignedOutEverywhere,
)

URL = os.environ["RESCIND_URL"]
PASSWORD = "correct horse battery"


def bearing(access: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=URL, token=access)


def session(answer: Session | Problem | None) -> Session:
    assert isinstance(answer, Session), answer
    return answer


def code(answer: object) -> str:
    assert isinstance(answer, Problem), answer
    assert answer.status == 401
    return answer.code


def main() -> None:
    anonymous = Client(base_url=URL)
    device = DeviceInput(name="Ada's phone", kind="mobile")
    body = Credentials(username="ada", password=PASSWORD, device=device)
    phone = session(register.sync(client=anonymous, body=body))
    desktop = session(login.sync(client=anonymous, body=Login(username="ada", password=PASSWORD)))
    wrong = Login(username="ada", password="wrong horse battery")
    assert code(login.sync(client=anonymous, body=wrong)) == "wrong_credentials"

    found = me.sync(client=bearing(phone.access))
    assert isinstance(found, Me)
    assert (found.user.username, found.device.name, found.device.current) == ("ada", "Ada's phone", True)
    phone = session(refresh.sync(client=anonymous, body=Refresh(refresh=phone.refresh)))
    mine = bearing(phone.access)
    listed = list_devices.sync(client=mine)
    assert isinstance(listed, DeviceList)
    assert {device.id for device in listed.results} == {phone.device.id, desktop.device.id}

    end_device.sync_detailed(desktop.device.id, client=mine)
    assert code(me.sync(client=bearing(desktop.access))) == "signed_out"
    assert code(refresh.sync(client=anonymous, body=Refresh(refresh=desktop.refresh))) == "signed_out"
    everywhere = logout_all.sync(client=mine)
    assert isinstance(everywhere, SignedOutEverywhere)
    assert (everywhere.signed_out, everywhere.generation) == (1, 2)
    assert code(me.sync(client=mine)) == "signed_out_everywhere"


if __name__ == "__main__":
    main()
    print("done")
