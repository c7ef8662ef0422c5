"""The invented drivers, teams and charge keys of an account with a fleet: the same for the same number of chargers.

Nobody here exists. It is asked and does nothing.
"""

from typing import Any

_FIRST = ("Ada", "Ben", "Cora", "Dan", "Eve", "Finn", "Gro", "Hal", "Ida", "Jon", "Kari", "Liv")
_LAST = ("Moss", "Nord", "Oak", "Pine", "Quill", "Reed", "Stone")
_TEAMS = ("Day shift", "Night shift", "Vans")

Rows = list[dict[str, Any]]


def people(resource: str, chargers: int) -> Rows:
    """The rows of drivers, teams or keys, two drivers a charger and at most 120."""
    drivers = range(1, min(2 * chargers, 120) + 1)
    if resource == "teams":
        return [{"id": f"team-{number}", "name": name} for number, name in enumerate(_TEAMS, 1)]
    if resource == "drivers":
        return [
            {
                "id": f"driver-{number}",
                "name": f"{_FIRST[number % len(_FIRST)]} {_LAST[number % len(_LAST)]}",
                "teamId": f"team-{number % len(_TEAMS) + 1}",
                "active": number % 9 != 0,
            }
            for number in drivers
        ]
    return [
        {
            "id": f"key-{number}",
            "type": "MAC" if number % 5 == 0 else "RFID",
            "tag": f"04{number * 7919:010X}",
            "driverId": f"driver-{number}",
            "active": True,
        }
        for number in drivers
    ]
