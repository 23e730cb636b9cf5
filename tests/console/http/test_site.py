"""Where the console is reached, and what that means for cookies."""

import socket
from pathlib import Path

import pytest

from console.http.site import site_of
from console.instance import find_door
from domain.errors import Refused
from runtime.settings import Settings


def settings(**given: object) -> Settings:
    return Settings.load(data=Path("/nowhere"), **given)


def test_on_this_machine_plain_http_is_nothing_special() -> None:
    site = site_of(settings(public_url=None))

    assert (site.url, site.secure, site.exposed) == ("http://127.0.0.1:8000", False, False)
    assert site.cookie("session") == "session"


def test_over_https_a_cookie_is_bound_to_the_host() -> None:
    site = site_of(settings(public_url="https://bihuan.example/"))

    assert (site.url, site.secure, site.host) == ("https://bihuan.example", True, "bihuan.example")
    assert site.cookie("session") == "__Host-session"


def test_plain_http_beyond_this_machine_must_be_asked_for() -> None:
    with pytest.raises(Refused) as refused:
        site_of(settings(public_url="http://10.1.2.3:8000"))

    assert refused.value.refusal.field == "BIHUAN_PUBLIC_URL"
    assert site_of(settings(public_url="http://10.1.2.3:8000", insecure_http=True)).exposed


@pytest.mark.parametrize("url", ["bihuan.example", "ftp://bihuan.example", "https://bihuan.example/path"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        site_of(settings(public_url=url))


def test_listening_everywhere_needs_the_address_people_use() -> None:
    with pytest.raises(Refused):
        site_of(settings(public_url=None, console_host="0.0.0.0"))


def test_a_port_that_is_taken_is_refused_before_anything_starts_or_replaced_where_that_is_wanted() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        wanted = settings(console_port=other.getsockname()[1], public_url=None)

        with pytest.raises(Refused) as refused:
            find_door(wanted)
        door = find_door(wanted, elsewhere=True)

    assert refused.value.code == "console.address_taken"
    assert door.port not in (0, wanted.console_port)
    assert door.url == f"http://127.0.0.1:{door.port}"
