"""A running street for the browser: the instance as ``bihuan up`` runs it, with requests in every stage.

Owns the servers and who may sign in. What happens to the requests of the tests themselves, those tests do.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from playwright.async_api import Browser

from console.access.door import Access
from console.access.passwords import Passwords, argon2
from console.demo.people import NEIGHBOURHOOD, Matter, People, Request, Street
from console.demo.rules import DEMO_BOOK
from console.desk import Desk
from console.instance import find_door, make_instance, make_keys
from console.session import open_ledger
from domain.people import Role
from ledger.access import set_password
from ledger.calendar_files import from_library
from ledger.calendars import store_calendar
from ledger.migrate import migrate
from ledger.registry import load_registry, read_registry, store_rule_book
from ledger.registry_files import read_registry_files
from ledger.vault import MasterKey, Vault
from runtime.codec import PayloadKeys
from runtime.embedded import Instance
from runtime.settings import Settings
from runtime.temporal import connect
from tests.browser.watching import DESK, Watched, watched

GRID, COMMUNITY, STREET, DEPARTMENT, HELPER, OTHER = "G01", "C01", "S01", "D05", "D03", "D04"
PASSWORD = "桂子巷里好乘凉2026"
"""What everybody of the street signs in with."""


async def _prepare(dsn: str) -> None:
    await migrate(dsn)
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        await store_rule_book(conn, DEMO_BOOK.version, DEMO_BOOK.model_dump(mode="json"))
        await store_calendar(conn, from_library())
        await load_registry(conn, read_registry_files(NEIGHBOURHOOD), by="tests")
    finally:
        await conn.close()


@dataclass
class Town:
    """The street: its address, its people by role, its requests by the stage they stand in."""

    url: str
    street: Street
    access: Access
    people: People
    key: MasterKey
    instance: Instance
    cases: dict[str, str] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def persons(self) -> dict[str, str]:
        """One person for each role, by the role's code."""
        found = self.people
        return {
            "grid_worker": found.worker.actor.person,
            "checker": found.checker.actor.person,
            "grid_head": found.head.actor.person,
            "vanguard_captain": found.captain.actor.person,
            "community": found.community.actor.person,
            "approver": found.approver.actor.person,
            "street_dispatcher": found.dispatcher.actor.person,
            "department_handler": found.department(DEPARTMENT).actor.person,
            "helper": found.department(HELPER).actor.person,
            "department_head": found._of(Role.DEPARTMENT_HEAD, DEPARTMENT, 0).actor.person,
            "supervisor": found.supervisor.actor.person,
            "hotline": found.hotline.actor.person,
            "auditor": found._of(Role.AUDITOR, STREET, 0).actor.person,
            "administrator": found._of(Role.ADMINISTRATOR, STREET, 0).actor.person,
        }

    async def happened(self, stream: str, kind: str) -> int:
        """How often this is recorded of the request."""
        async with self.street.pool.acquire() as conn:
            found = await conn.fetchval("select count(*) from event where stream = $1 and kind = $2", stream, kind)
        return int(found)

    async def new_case(self, title: str, steps: str, category: str = "K03") -> str:
        """A request of its own for a test, and the steps it has behind it."""
        matter = Matter("case", title, _asked(title, f"{title}，请派人来看看。", category))
        for step in steps.split():
            await _STEPS[step](matter, self.people)
        return matter.id

    @asynccontextmanager
    async def signed_in(self, browser: Browser, role: str | None, **options: object) -> AsyncIterator[Watched]:
        """A watched browser in which the person of this role is signed in; nobody with None."""
        async with watched(browser, self.url, **options) as watch:
            if role is not None:
                token = await self._token(self.persons[role])
                await watch.context.add_cookies([{"name": "session", "value": token, "url": self.url}])
            yield watch

    async def _token(self, person: str) -> str:
        if person not in self._tokens:
            self._tokens[person] = (await self.access.sessions.sign_in_known(person)).token
        return self._tokens[person]


async def _give_accounts(town: Town, pool: asyncpg.Pool) -> None:
    # Nobody attacks these accounts: one quick hash serves all.
    kept = await Passwords(argon2(time_cost=1, memory_cost=8 * 1024, parallelism=1)).hash(PASSWORD)
    for role, person in town.persons.items():
        async with pool.acquire() as conn:
            known = await conn.fetchval("select 1 from account where person = $1", person)
        if known is None:
            added = await town.access.accounts.add(
                person, by="tests", is_administrator=role == "administrator", with_password=False
            )
            login = added.account.login
            async with pool.acquire() as conn:
                await set_password(conn, login, kept, must_change=False, by="tests", at=datetime.now(UTC))


def _asked(title: str, words: str, category: str = "K03") -> Request:
    done = "已经修好，现场清理干净。"
    return Request(title=title, words=words, done=done, grid=GRID, category=category, lead=DEPARTMENT)


Step = Callable[[Matter, People], Awaitable[object]]

_STEPS: dict[str, Step] = {
    "register": lambda case, people: people.worker.register(case),
    "handle_on_spot": lambda case, people: people.worker.handle_on_spot(case),
    "whistle": lambda case, people: people.community.whistle(case, DEPARTMENT, approver=people.approver),
    "dispatch": lambda case, people: people.dispatcher.dispatch(case, DEPARTMENT),
    "dispatch_to_two": lambda case, people: people.dispatcher.dispatch(case, DEPARTMENT, HELPER),
    "return": lambda case, people: people.department(DEPARTMENT).return_task(
        case, "树木归园林绿化所管，现场已核对。", proposed=OTHER
    ),
    "accept": lambda case, people: people.department(DEPARTMENT).accept(case),
    "be_late": lambda case, people: people.street.until_overdue(case),
    "strike_off": lambda case, people: people.department(DEPARTMENT).strike_off(case),
    "verify": lambda case, people: people.checker.verify(case),
    "captain": lambda case, people: people.captain.sign(case),
    "head": lambda case, people: people.head.sign(case),
    "tell_department": lambda case, people: people.worker.feed_back(case, to="department"),
    "tell_resident": lambda case, people: people.worker.feed_back(case, to="resident"),
    "visit": lambda case, people: people.worker.visit(case, "satisfied", "修好了，谢谢。"),
    "appraise": lambda case, people: people.community.appraise(case, DEPARTMENT),
}
_DONE = "register whistle dispatch accept strike_off"
_TOLD = f"{_DONE} verify captain head tell_department tell_resident"

_STORIES: dict[str, tuple[Request, str]] = {
    "registered": (_asked("桂子巷 12 号门前路灯不亮", "晚上黑漆漆的，老人出门怕摔。", "K04"), "register"),
    "whistled": (
        _asked("桂子巷菜场后门路面塌陷", "塌了一个坑，雨天积水，电动车经过容易翻。"),
        "register whistle",
    ),
    "dispatched": (
        _asked("三号楼前水管渗漏", "地面一直湿，自来水白白流掉。", "K05"),
        "register whistle dispatch_to_two",
    ),
    "handling": (
        _asked("桂子巷北口人行道地砖松动", "下雨踩上去溅一身泥，推婴儿车过不去。"),
        "register whistle dispatch accept",
    ),
    "returned": (
        _asked("行道树枯枝快掉下来", "就在幼儿园门口，刮风吓人。", "K08"),
        "register whistle dispatch return",
    ),
    "overdue": (
        _asked("桂子巷西口井盖不见了", "井口敞着，孩子放学要经过。", "K09"),
        "register whistle dispatch accept be_late",
    ),
    "struck_off": (_asked("桂子巷东段窨井盖响", "车一过就咣当响，夜里睡不着。"), _DONE),
    "verified": (_asked("小区门口减速带破损", "破了一截，螺丝露在外面。"), f"{_DONE} verify"),
    "signed_once": (_asked("巷口石墩被撞歪", "歪着挡了半边路。"), f"{_DONE} verify captain"),
    "fed_back": (_asked("健身角地面开裂", "老人锻炼绊了一跤。"), _TOLD),
    "appraised": (_asked("五号楼下水沟盖板缺失", "缺了两块板，用木板盖着。"), f"{_TOLD} visit appraise"),
    "on_the_spot": (_asked("二单元楼道堆纸箱", "堵着下楼的路。", "K01"), "register handle_on_spot"),
}
"""Requests by the stage they stand in, and the steps that led there."""


async def _tell_stories(town: Town) -> None:
    async def one(name: str, request: Request, steps: str) -> None:
        matter = Matter("case", name, request)
        for step in steps.split():
            await _STEPS[step](matter, town.people)
        town.cases[name] = matter.id

    await asyncio.gather(*(one(name, *story) for name, story in _STORIES.items()))
    wish = Matter("wish", "wish", _asked("想要一张旧书桌", "孩子上小学了，家里没有写字的桌子。"))
    await town.people.worker.publish_wish(wish)
    town.cases["wish"] = wish.id


@asynccontextmanager
async def open_town(folder: Path) -> AsyncIterator[Town]:
    """The street in ``folder``: servers, worker and console as processes of their own, everybody with an account."""
    settings = Settings.load(data=folder, database_url=None, temporal_address=None, console_port=0, public_url=None)
    make_keys(settings)
    door = find_door(settings)
    async with make_instance(folder, ui=False, prepare=_prepare, door=door) as instance:
        pool = await open_ledger(instance.endpoints, size=8)
        try:
            async with pool.acquire() as conn:
                registry = await read_registry(conn)
            key = MasterKey.load(settings.key_file)
            keys = PayloadKeys(key.payload_keys)
            client = await connect(instance.endpoints.temporal, instance.endpoints.namespace, keys=keys)
            desk = Desk(client, pool, Vault(key), task_queue=settings.task_queue)
            street = Street(desk, pool, registry)
            town = Town(door.url, street, Access.open(pool, settings), street.people(GRID), key, instance)
            await _give_accounts(town, pool)
            await _tell_stories(town)
            yield town
        finally:
            await pool.close()


__all__ = ["DESK", "GRID", "PASSWORD", "Town", "open_town"]
