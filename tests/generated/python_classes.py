"""The flow with the client of OpenAPI Generator's `python`, which raises errors."""

from __future__ import annotations

import os
from collections.abc import Callable

from openapi_client import (
    ApiClient,
    ApiException,
    Configuration,
    Credentials,
    DeviceInput,
    DevicesApi,
    Login,
    Problem,
    Refresh,
    SessionsApi,
)

PASSWORD = "correct horse battery"


def bearing(access: str | None) -> ApiClient:
    return ApiClient(Configuration(host=os.environ["RESCIND_URL"], access_token=access))


def code(refused: Callable[[], object]) -> str:
    try:
        refused()
    except ApiException as error:
        problem = error.data
        assert isinstance(problem, Problem)
        assert problem.status == error.status == 401
        return problem.code
    raise AssertionError("not refused")


def main() -> None:
    anonymous = SessionsApi(bearing(None))
    device = DeviceInput(name="Ada's phone", kind="mobile")
    phone = anonymous.register(Credentials(username="ada", password=PASSWORD, device=device))
    desktop = anonymous.login(Login(username="ada", password=PASSWORD))
    assert code(anonymous.me) == "token_missing"
    wrong = Login(username="ada", password="wrong horse battery")
    assert code(lambda: anonymous.login(wrong)) == "wrong_credentials"

    me = SessionsApi(bearing(phone.access)).me()
    assert (me.user.username, me.device.name, me.device.current) == ("ada", "Ada's phone", True)
    phone = anonymous.refresh(Refresh(refresh=phone.refresh))
    mine = bearing(phone.access)
    listed = DevicesApi(mine).list_devices().results
    assert {found.id for found in listed} == {phone.device.id, desktop.device.id}

    DevicesApi(mine).end_device(desktop.device.id)
    assert code(SessionsApi(bearing(desktop.access)).me) == "signed_out"
    assert code(lambda: anonymous.refresh(Refresh(refresh=desktop.refresh))) == "signed_out"
    everywhere = SessionsApi(mine).logout_all()
    assert (everywhere.signed_out, everywhere.generation) == (1, 2)
    assert code(SessionsApi(mine).me) == "signed_out_everywhere"


if __name__ == "__main__":
    main()
    print("done")
