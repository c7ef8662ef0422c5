"""A plain reading of the Irish recording: what `connector-faulted` must say, from the CSV alone.

It imports nothing of the project: it is the second opinion.
"""

import csv
import gzip
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

STATUS = {"Available": "Available", "Part": "Charging", "Occ": "Charging", "OOS": "Faulted"}
MINUTE = timedelta(minutes=1)
HOLE = datetime(2018, 11, 11, 4, 52, tzinfo=UTC), datetime(2018, 11, 25, 5, 15, tzinfo=UTC)
Group = tuple[str, str]
Said = tuple[datetime, str, str, datetime]


def firings_and_resolves(path: Path) -> list[Said]:
    """(at, subject, firing or resolved, active_at) of 30 minutes Faulted while online, kept for 5 minutes."""
    changes = defaultdict(list)
    with gzip.open(path, "rt") as lines:
        for row in csv.DictReader(lines):
            at = datetime.fromisoformat(row["ts"]).replace(tzinfo=UTC)
            changes[at].append((row["cp_id"], row["connector_type"], row["to_status"]))
    status, since = dict[Group, str](), dict[Group, datetime]()
    lost = defaultdict[str, set[str]](set)  # a charger's groups that are out of contact
    active, false_since = dict[Group, datetime](), dict[Group, datetime]()
    fired, said = set[Group](), list[Said]()
    now, last = min(changes), max(changes)
    while now <= last:
        for charger, kind, to in changes.get(now, ()):
            (lost[charger].add if to == "OOC" else lost[charger].discard)(kind)
            if to != "OOC" and status.get((charger, kind)) != STATUS[to]:
                status[charger, kind], since[charger, kind] = STATUS[to], now
        if now == HOLE[1]:
            false_since = {one: at + (HOLE[1] - HOLE[0]) for one, at in false_since.items()}
        looked_at = [] if HOLE[0] < now < HOLE[1] else {*active, *(one for one in status if status[one] == "Faulted")}
        for one in (one for one in looked_at if not lost[one[0]]):
            if status[one] == "Faulted":
                active.setdefault(one, since[one])
                false_since.pop(one, None)
                if one not in fired and now - active[one] >= 30 * MINUTE:
                    fired.add(one)
                    said.append((now, "/".join(one), "firing", active[one]))
            elif one not in fired or now - false_since.setdefault(one, now) >= 5 * MINUTE:
                if one in fired:
                    said.append((now, "/".join(one), "resolved", active[one]))
                fired.discard(one)
                false_since.pop(one, None)
                active.pop(one)
        now += MINUTE
    return sorted(said)
