"""The sellers: Salesforce users and the HubSpot owners of the same persons."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.clock import DAY, MINUTE
from sandbox.identifiers import salesforce_id
from sandbox.records import Record
from sandbox.scenario import Scenario

FIRST_NAMES = [
    "Alba",
    "Bruno",
    "Chiara",
    "Dmitri",
    "Elif",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kaori",
    "Leon",
    "Mina",
    "Noor",
    "Oscar",
    "Petra",
    "Quinn",
    "Rosa",
    "Samir",
    "Tove",
    "Uma",
    "Viktor",
    "Wanda",
    "Yusuf",
    "Zoe",
]
LAST_NAMES = [
    "Abel",
    "Brandt",
    "Costa",
    "Dahl",
    "Engel",
    "Fabre",
    "Garcia",
    "Holm",
    "Ito",
    "Jansen",
    "Keller",
    "Lopez",
    "Moreau",
    "Novak",
    "Okafor",
    "Price",
    "Quist",
    "Rossi",
    "Sato",
    "Torres",
    "Ueda",
    "Vogel",
    "Weiss",
    "Xu",
    "Young",
    "Zeman",
]
TEAMS = {"Sales Development": "501", "Account Executives": "502", "Partner Sales": "503"}
REGIONS = ("EMEA", "Americas", "APAC")
POSTS = (
    ("Sales Development", "EMEA", 4),
    ("Sales Development", "Americas", 3),
    ("Sales Development", "APAC", 1),
    ("Account Executives", "EMEA", 4),
    ("Account Executives", "Americas", 3),
    ("Account Executives", "APAC", 2),
    ("Partner Sales", "EMEA", 1),
    ("Partner Sales", "Americas", 1),
)


@dataclass(frozen=True)
class Rep:
    user_id: str
    owner_id: str
    team: str
    region: str


@dataclass
class Staff:
    reps: list[Rep] = field(default_factory=list)
    turns: dict[tuple[str, str], int] = field(default_factory=dict)

    def next(self, team: str, region: str) -> Rep:
        """Round robin within a team and region; without a region among all reps of the team."""
        able = [rep for rep in self.reps if rep.team == team and rep.region == region] or [
            rep for rep in self.reps if rep.team == team
        ]
        turn = self.turns.get((team, region), 0)
        self.turns[team, region] = turn + 1
        return able[turn % len(able)]


def hire(scenario: Scenario, since: int, leaves: int) -> Staff:
    """All reps start with the CRM; one of them leaves later."""
    staff = Staff()
    managers: dict[str, str] = {}
    number = 0
    for region in REGIONS:
        number += 1
        managers[region] = _add(scenario, number, "Account Executives", region, None, since).user_id
    for team, region, count in POSTS:
        for _ in range(count):
            number += 1
            staff.reps.append(_add(scenario, number, team, region, managers[region], since + number * MINUTE))
    leaver = staff.reps[2]
    user = next(one for one in scenario.salesforce["User"].records if one.id == leaver.user_id)
    user.change(leaves, IsActive=False)
    owner = next(one for one in scenario.hubspot["owners"].records if one.id == leaver.owner_id)
    owner.removed = leaves + DAY // 24
    staff.reps.remove(leaver)
    return staff


def _add(scenario: Scenario, number: int, team: str, region: str, manager: str | None, since: int) -> Rep:
    first, last = FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[(number * 7) % len(LAST_NAMES)]
    email = f"rep{number}@company.example"
    rep = Rep(salesforce_id("User", number), str(70_000 + number), team, region)
    scenario.salesforce["User"].add(
        Record(
            rep.user_id,
            since,
            {
                "Name": f"{first} {last}",
                "Email": email,
                "IsActive": True,
                "ManagerId": manager,
                "Department": team,
                "Division": region,
            },
        )
    )
    scenario.hubspot["owners"].add(
        Record(
            rep.owner_id,
            since,
            {
                "email": email,
                "firstName": first,
                "lastName": last,
                "userId": 900_000 + number,
                "teams": [(TEAMS[team], team, True)],
            },
        )
    )
    return rep
