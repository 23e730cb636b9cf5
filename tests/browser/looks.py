"""Every page of the console, as its routes name them, and who looks at it.

The list comes from the routes of the application; a new page is looked at without anybody remembering it, and a route
that is no page has to say so here.
"""

import re
from importlib import import_module
from typing import NamedTuple

from fastapi.routing import APIRoute
from playwright.async_api import Page

from console.demo.rules import DEMO_BOOK
from console.http.app import PAGES
from console.http.caller import May
from domain.people import Role
from domain.rights import MATRIX
from tests.browser.town import Town

NOT_PAGES = {
    "/healthz": "for load balancers",
    "/readyz": "for load balancers",
    "/board/events": "a stream",
    "/files/uploaded/{digest}": "a photograph",
    "/files/{stream}/{digest}": "a photograph",
    "/search/export": "a workbook",
    "/cases/{stream}/dossier": "a file",
    "/sign-in/provider": "the way to an identity provider, which the town has not",
    "/sign-in/provider/back": "the way back from it",
    "/cases/{stream}/pending/{command_id}": "202, so it is looked at below",
    "/cases/{stream}/orders/{number}/print": "only some requests have orders, so it is looked at below",
    "/rules/{version}/yaml": "a file",
    "/supervise/history": "leads to the page of a case",
    "/tracking/mine": "for whoever was let in, so it is looked at with the other own pages",
    "/tracking/mine/photos/{digest}": "a photograph",
    "/registry/drafts/{draft}": "an upload, so it is looked at with the own pages",
    "/rules/drafts/{draft}": "an upload, so it is looked at with the own pages",
    "/calendar/drafts/{draft}": "an upload, so it is looked at with the own pages",
    "/rules/adoptions/{run}": "a run, so it is looked at with the own pages",
}
"""Routes that answer no page for people, and what they answer."""

PLACES: dict[str, str] = {
    "stream": "@whistled",
    "kind": "comment",
    "number": "1",
    "version": DEMO_BOOK.version,
    "code": "response",
    "column": "registered",
    "wish": "@wish",
    "command_id": "00000000-0000-4000-8000-000000000003",
}
"""What stands for a parameter of an address: a value, or ``@name`` for the request of the town with that name.

Where one address wants another value than all others do, it stands before the name.
"""

ELSEWHERE: dict[str, str] = {
    "/": "grid_worker",
    "/board": "supervisor",
    "/ledger": "community",
    "/ledger/{column}": "community",
    "/work/inbox": "department_handler",
    "/work/signing": "vanguard_captain",
}
"""Pages that another person than the first who may open them sees with something on it: role by address."""

_IN_TURN = (
    Role.GRID_WORKER,
    Role.STREET_DISPATCHER,
    Role.SUPERVISOR,
    Role.ADMINISTRATOR,
    Role.COMMUNITY,
    Role.DEPARTMENT_HANDLER,
    Role.VANGUARD_CAPTAIN,
    Role.AUDITOR,
)


class Look(NamedTuple):
    """One page as one person sees it; ``role`` None for somebody signed out."""

    name: str
    role: str | None
    path: str


def _pages() -> list[APIRoute]:
    found = []
    for name in PAGES:
        for route in import_module(f"console.pages.{name}").router.routes:
            assert isinstance(route, APIRoute), f"{name} has a route that says nothing about who may open it: {route}"
            if "GET" in (route.methods or ()) and route.path not in NOT_PAGES:
                found.append(route)
    return found


def _role(route: APIRoute) -> str | None:
    if route.path in ELSEWHERE:
        return ELSEWHERE[route.path]
    asked = [each.call.permission for each in route.dependant.dependencies if isinstance(each.call, May)]
    if not asked:
        return None
    return next(role.value for role in _IN_TURN if all(MATRIX.grants(role, permission) for permission in asked))


def _look(route: APIRoute) -> Look:
    name = re.sub(r"[^a-z0-9]+", "-", route.path.lower()).strip("-") or "start"
    return Look(name, _role(route), route.path)


MORE: list[Look] = [
    Look("no-such-page", None, "/nowhere"),
    Look("case-pending", "grid_worker", "/cases/{stream}/pending/{command_id}"),
    Look("case-order-print", "supervisor", "/cases/{@overdue}/orders/1/print"),
    Look("case-registered", "community", "/cases/{@registered}"),
    Look("case-whistled", "street_dispatcher", "/cases/{@whistled}"),
    Look("case-dispatched", "department_handler", "/cases/{@dispatched}"),
    Look("case-handling", "department_handler", "/cases/{@handling}"),
    Look("case-returned", "street_dispatcher", "/cases/{@returned}"),
    Look("case-overdue", "supervisor", "/cases/{@overdue}"),
    Look("case-struck-off", "checker", "/cases/{@struck_off}"),
    Look("case-verified", "vanguard_captain", "/cases/{@verified}"),
    Look("case-fed-back", "grid_worker", "/cases/{@fed_back}"),
    Look("case-appraised", "community", "/cases/{@appraised}"),
    Look("case-on-the-spot", "grid_worker", "/cases/{@on_the_spot}"),
    Look("act-strike-off", "department_handler", "/cases/{@handling}/acts/strike_off"),
    Look("act-suspend", "street_dispatcher", "/cases/{@handling}/acts/suspend"),
    Look("act-shelve", "street_dispatcher", "/cases/{@handling}/acts/shelve"),
    Look("act-correct", "street_dispatcher", "/cases/{@handling}/acts/correct"),
    Look("act-supervise", "supervisor", "/cases/{@handling}/acts/supervise"),
    Look("act-attach", "grid_worker", "/cases/{@handling}/acts/attach"),
]
"""Pages in a state or to a person that their plain address does not show."""

LOOKS = [*map(_look, _pages()), *MORE]


def _address(path: str, town: Town) -> str:
    def value(found: re.Match[str]) -> str:
        name = found.group(1).partition(":")[0]
        given = PLACES.get(f"{path} {name}") or PLACES.get(name, name)
        assert given != name or name.startswith("@"), f"{path}: say in PLACES what stands for {name}"
        return town.cases[given[1:]] if given.startswith("@") else given

    return re.sub(r"\{([^}]+)\}", value, path)


async def reach(page: Page, look: Look, town: Town) -> None:
    """Open the page; fails when it is none, or not for this person."""
    answer = await page.goto(town.url + _address(look.path, town))
    assert answer is not None
    assert answer.headers["content-type"].startswith("text/html"), "say in NOT_PAGES what this answers"
    assert look in MORE or answer.status == 200, f"{answer.status} {await page.inner_text('body')}"
    assert look.path.startswith("/sign-in") or "/sign-in" not in page.url, "say in ELSEWHERE who may open this"
