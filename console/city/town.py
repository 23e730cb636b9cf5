"""The invented city: its districts, streets, communities, grids, departments, people, and what its residents ask for.

Owns the codes, the words and the seasons. Cases are first played in a pattern of the city, one grid with everybody who
has to do with it, whose codes are marks like ``#grid#``; ``Where.codes`` says what stands for them in a real place.
All of it is invented. Pure.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.people import Actor, Role
from domain.registry_problem import RawRegistry
from domain.rules import Urgency

DEPARTMENTS: Mapping[int, str] = {
    1: "城市管理", 2: "住房建设", 3: "供水", 4: "供热", 5: "供电", 6: "排水", 7: "环境保护", 8: "公安交管",
    9: "园林绿化", 10: "市场监管", 11: "环境卫生", 12: "道路养护",
}  # fmt: skip
"""The departments every district has, by number."""

HANDLERS = 6
"""So many people handle cases in each department."""


@dataclass(frozen=True)
class Matter:
    """A kind of request: who leads, who may help, how often it comes in each month (a twelfth of a year is 100).

    ``share`` is how often it comes beside the others. ``on_the_spot`` marks what a grid worker may settle at once.
    """

    category: str
    name: str
    lead: int
    helpers: tuple[int, ...]
    months: tuple[int, ...]
    troubles: tuple[str, ...]
    done: tuple[str, ...]
    on_the_spot: bool = True
    urgency: Urgency = Urgency.GENERAL
    share: int = 100


_LEVEL = (100,) * 12
MATTERS = (
    Matter("K01", "楼道堆物", 1, (11,), _LEVEL, ("楼道堆放杂物", "单元门口停满电动车", "消防通道被占"),
           ("杂物当场清走", "车辆移到车棚并画线")),
    Matter("K02", "小广告", 1, (), (60, 60, 90, 110, 120, 120, 110, 110, 120, 110, 100, 90),
           ("电表箱贴满开锁广告", "公告栏被广告盖住", "墙面喷涂小广告"), ("广告铲净，墙面复原",)),
    Matter("K03", "供水", 3, (2,), (110, 90, 80, 80, 90, 120, 150, 140, 100, 80, 80, 110),
           ("水压不足", "水管爆裂", "自来水发黄", "夜间停水", "水表井漏水"),
           ("更换减压阀，复测正常", "管段更换，恢复供水"),
           urgency=Urgency.LIVELIHOOD, share=40, on_the_spot=False),
    Matter("K04", "供热", 4, (2,), (330, 260, 120, 0, 0, 0, 0, 0, 0, 20, 220, 350),
           ("家中暖气不热", "暖气管漏水", "整栋楼停暖", "室温不到十六度"), ("排气清堵，室温达标", "更换阀门，恢复供热"),
           urgency=Urgency.LIVELIHOOD, share=40, on_the_spot=False),
    Matter("K05", "供电照明", 5, (12,), (110, 100, 90, 80, 90, 110, 140, 140, 90, 80, 90, 100),
           ("路灯不亮", "电路跳闸", "灯杆倾斜", "小区半夜停电"), ("灯具更换，已亮", "线路检修，恢复供电")),
    Matter("K06", "排水内涝", 6, (12, 11), (10, 10, 40, 80, 110, 260, 330, 260, 90, 30, 20, 10),
           ("雨后路面积水", "下水道返水", "地库进水", "雨水井盖被冲开"), ("清掏管道，抽排积水", "井盖复位加固"),
           urgency=Urgency.EMERGENCY, share=25, on_the_spot=False),
    Matter("K07", "噪音扰民", 7, (8, 10), (50, 50, 80, 100, 130, 160, 190, 180, 120, 80, 50, 40),
           ("夜间施工噪音", "广场舞音量大", "空调外机噪音", "烧烤摊半夜喧哗"),
           ("约定停工时间，复查安静", "限定音量并张贴告示")),
    Matter("K08", "停车秩序", 8, (1,), (100, 130, 100, 100, 100, 90, 90, 90, 110, 110, 100, 80),
           ("乱停乱放", "僵尸车长期停放", "充电桩被占", "出入口被堵"), ("车辆移走，设置隔离桩",)),
    Matter("K09", "园林绿化", 9, (1,), (30, 40, 110, 160, 150, 130, 140, 130, 110, 90, 70, 40),
           ("树枝遮挡采光", "绿篱枯死", "行道树倒伏", "草坪被毁"), ("修剪完毕，枝条清运", "补种并浇透")),
    Matter("K10", "食品与经营", 10, (1,), (90, 110, 90, 90, 100, 110, 120, 120, 110, 100, 90, 70),
           ("餐馆油烟扰民", "超市商品过期", "占道经营", "无照摊点"), ("约谈店主，限期整改完成",)),
    Matter("K11", "环境卫生", 11, (1,), (70, 90, 90, 100, 110, 130, 150, 140, 110, 90, 70, 50),
           ("垃圾桶满溢", "河道有漂浮物", "公厕异味", "装修垃圾未清运"), ("增加一趟清运，地面冲洗",)),
    Matter("K12", "道路破损", 12, (6,), (90, 90, 110, 110, 100, 110, 120, 110, 100, 100, 90, 70),
           ("路面坑洼", "井盖松动", "人行道地砖翘起", "路沿石破损"), ("路面修补平整", "井盖更换，周边压实")),
    Matter("K13", "房屋与电梯", 2, (10,), (100, 90, 90, 90, 100, 120, 130, 120, 100, 90, 90, 80),
           ("电梯停运", "电梯异响", "外墙脱落", "屋顶漏雨"), ("更换门机，试运行正常", "防水重做，淋水不漏"),
           urgency=Urgency.COMPLEX, share=15, on_the_spot=False),
)  # fmt: skip
"""What residents ask for. Months without a share do not have it at all: nobody is cold in July."""

PLACES = (
    "东塘", "西塘", "南苑", "北辰", "花园里", "梧桐苑", "富强新村", "团结湖", "望江", "新海", "杏林", "百合园",
    "桂花巷", "永安里", "和平村", "春晖苑", "石桥头", "柳荫街", "广济里", "清波门",
)  # fmt: skip
CLAUSES = (
    "居民反映多次未见处理", "影响老人出行", "请尽快安排人员查看", "下雨天更为严重", "孩子上学必经之路",
    "物业称不在其职责范围", "已持续一周", "存在安全隐患", "周边商户也有反映", "希望给予答复",
    "小区内多户都有同样情况", "早晚高峰尤其明显", "之前报修过一次", "请相关部门协调解决", "夜里根本无法休息",
    "担心发生意外", "楼上楼下都受影响", "邻居们意见很大",
)  # fmt: skip


def words(matter: Matter, dice: random.Random) -> tuple[str, str]:
    """A title and a text, as redacted as those of a real case: no names, no numbers of people."""
    spot = f"{dice.choice(PLACES)}{dice.randint(1, 60)}号楼{dice.randint(1, 6)}单元"
    trouble = dice.choice(matter.troubles)
    told = "，".join(dice.sample(CLAUSES, dice.randint(2, 4)))
    return f"{spot}{trouble}", f"{matter.name}：{spot}附近{trouble}，{told}。"


@dataclass(frozen=True)
class City:
    """How the city is cut: districts of streets of communities of grids."""

    districts: int = 4
    streets: int = 6
    communities: int = 8
    grids: int = 6

    def somewhere(self, dice: random.Random) -> "Where":
        """One grid, each as likely as any other."""
        pick = dice.random
        return Where(
            int(pick() * self.districts) + 1,
            int(pick() * self.streets) + 1,
            int(pick() * self.communities) + 1,
            int(pick() * self.grids) + 1,
        )

    def registry(self) -> RawRegistry:
        """Everybody and everything with its real codes."""
        holders: dict[str, Actor] = {}
        organisations: dict[str, dict[str, Any]] = {}
        grids: dict[str, dict[str, Any]] = {}
        for district in range(1, self.districts + 1):
            for street in range(1, self.streets + 1):
                for community in range(1, self.communities + 1):
                    for grid in range(1, self.grids + 1):
                        codes = Where(district, street, community, grid).codes()
                        _enter(codes, organisations, grids, holders)
        return _raw(organisations, grids, holders)


def _enter(
    codes: Mapping[str, str],
    organisations: dict[str, dict[str, Any]],
    grids: dict[str, dict[str, Any]],
    holders: dict[str, Actor],
) -> None:
    """One grid with everything above it and everybody in it; what is there already is the same again."""
    district, street, community, grid = (codes[mark] for mark in (DISTRICT, STREET, COMMUNITY, GRID))
    organisations.setdefault(district, {"code": district, "name": f"{district}区", "kind": "district"})
    organisations.setdefault(street, {"code": street, "name": f"{street}街道", "kind": "street", "parent": district})
    organisations.setdefault(
        community, {"code": community, "name": f"{community}社区", "kind": "community", "parent": street}
    )
    for number, name in DEPARTMENTS.items():
        code = codes[department(number)]
        organisations.setdefault(
            code, {"code": code, "name": f"{district}区{name}", "kind": "department", "parent": district}
        )
        for each in range(1, HANDLERS + 1):
            person = f"{code}-h{each}"
            holders[person] = Actor(person=person, role=Role.DEPARTMENT_HANDLER, organisation=code)
    grids[grid] = {"code": grid, "name": f"{grid}网格", "community": community, "households": 400, "people": 1200}
    for mark, actor in PATTERN.items():
        if actor.role is not Role.DEPARTMENT_HANDLER:
            person = codes[mark]
            holders[person] = Actor(
                person=person,
                role=actor.role,
                organisation=codes[actor.organisation] if actor.organisation else None,
                grid=codes[actor.grid] if actor.grid else None,
            )


def _raw(
    organisations: Mapping[str, dict[str, Any]], grids: Mapping[str, dict[str, Any]], holders: Mapping[str, Actor]
) -> RawRegistry:
    return RawRegistry.of(
        {
            "organisations": list(organisations.values()),
            "grids": list(grids.values()),
            "categories": [
                {"code": each.category, "name": each.name, "on_the_spot": each.on_the_spot,
                 "urgency": each.urgency.value}
                for each in MATTERS
            ],
            "people": [{"id": person, "name": person} for person in holders],
            "assignments": [
                {
                    "person": actor.person,
                    "role": actor.role.value,
                    **({"organisation": actor.organisation} if actor.organisation else {}),
                    **({"grid": actor.grid} if actor.grid else {}),
                }
                for actor in holders.values()
            ],
        }
    )  # fmt: skip


# --- the pattern ------------------------------------------------------------------------------------------------

DISTRICT, STREET, COMMUNITY, GRID = "#district#", "#street#", "#community#", "#grid#"


def department(number: int) -> str:
    """The mark of a department; marks sort as the codes of a district's departments do."""
    return f"#d{number:02}#"


def handler(number: int) -> str:
    """The mark of whoever handles the case in a department."""
    return f"#h{number:02}#"


PATTERN: Mapping[str, Actor] = {
    actor.person: actor
    for actor in (
        Actor(person="#worker#", role=Role.GRID_WORKER, grid=GRID),
        Actor(person="#checker#", role=Role.GRID_WORKER, grid=GRID),
        Actor(person="#head#", role=Role.GRID_HEAD, grid=GRID),
        Actor(person="#captain#", role=Role.VANGUARD_CAPTAIN, grid=GRID),
        Actor(person="#staff#", role=Role.COMMUNITY, organisation=COMMUNITY),
        Actor(person="#approver#", role=Role.COMMUNITY, organisation=COMMUNITY),
        Actor(person="#dispatcher#", role=Role.STREET_DISPATCHER, organisation=STREET),
        Actor(person="#hotline#", role=Role.HOTLINE, organisation=STREET),
        Actor(person="#supervisor#", role=Role.SUPERVISOR, organisation=STREET),
        *(
            Actor(person=handler(each), role=Role.DEPARTMENT_HANDLER, organisation=department(each))
            for each in DEPARTMENTS
        ),
    )
}
"""Everybody of the pattern by their mark."""

TITLE, TEXT, NUMBER = "#title#", "#text#", "#number#"
"""The marks of what is said, and of the number another system knows the case by."""

MARKS: tuple[str, ...] = (
    DISTRICT, STREET, COMMUNITY, GRID, TITLE, TEXT, NUMBER, *map(department, DEPARTMENTS), *PATTERN,
)  # fmt: skip


def pattern_registry() -> RawRegistry:
    """The registry in which cases are played: one grid, by its marks."""
    organisations: dict[str, dict[str, Any]] = {}
    grids: dict[str, dict[str, Any]] = {}
    holders: dict[str, Actor] = {}
    _enter({mark: mark for mark in MARKS}, organisations, grids, holders)
    holders = {person: actor for person, actor in holders.items() if actor.role is not Role.DEPARTMENT_HANDLER}
    return _raw(organisations, grids, holders | dict(PATTERN))


@dataclass(frozen=True)
class Where:
    """A grid of the city, by numbers from 1."""

    district: int
    street: int
    community: int
    grid: int

    def codes(self, dice: random.Random | None = None) -> dict[str, str]:
        """What stands for the marks here; ``dice`` choose who handles in each department, else the first one does."""
        q = f"{self.district:02}"
        s = f"{q}{self.street:02}"
        c = f"{s}{self.community:02}"
        g = f"{c}{self.grid:02}"
        found = {DISTRICT: f"Q{q}", STREET: f"S{s}", COMMUNITY: f"C{c}", GRID: f"G{g}"}
        for mark, actor in PATTERN.items():
            name = mark.strip("#")
            if actor.grid:
                found[mark] = f"G{g}-{name}"
            elif actor.organisation == COMMUNITY:
                found[mark] = f"C{c}-{name}"
            elif actor.organisation == STREET:
                found[mark] = f"S{s}-{name}"
        for number in DEPARTMENTS:
            code = f"D{q}{number:02}"
            found[department(number)] = code
            found[handler(number)] = f"{code}-h{int(dice.random() * HANDLERS) + 1 if dice else 1}"
        return found
