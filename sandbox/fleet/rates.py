"""How often and how long things happen in the living fleet, after the recorded networks named in the data's README.

Pure draws from a random generator that is passed in. Durations are milliseconds, energy kWh, power kW.
"""

import math
from dataclasses import dataclass
from random import Random
from statistics import NormalDist

from sandbox.world.times import DAY, HOUR, MINUTE, SECOND

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Spells:
    """Durations of `shortest_ms` and a lognormal rest, none longer than `longest_ms`, taking up `share` of all time."""

    median_ms: int
    sigma: float
    shortest_ms: int
    longest_ms: int
    share: float

    @property
    def mean_ms(self) -> float:
        """Mean of the durations, the cut included."""
        body = math.exp(self._mu + self.sigma**2 / 2) * _NORMAL.cdf(self._cut - self.sigma)
        return self.shortest_ms + body + self._longest_rest * self._share_cut

    @property
    def mean_between_ms(self) -> float:
        """Mean time from the end of one spell to the beginning of the next."""
        return self.mean_ms * (1 - self.share) / self.share

    @property
    def _mu(self) -> float:
        return math.log(self.median_ms - self.shortest_ms)

    @property
    def _longest_rest(self) -> int:
        return self.longest_ms - self.shortest_ms

    @property
    def _cut(self) -> float:
        """The longest rest in standard deviations of its logarithm."""
        return (math.log(self._longest_rest) - self._mu) / self.sigma

    @property
    def _share_cut(self) -> float:
        return 1 - _NORMAL.cdf(self._cut)

    def draw(self, random: Random) -> int:
        """How long a spell that begins now will last."""
        return self.shortest_ms + min(self._longest_rest, round(random.lognormvariate(self._mu, self.sigma)))

    def draw_between(self, random: Random) -> int:
        return round(random.expovariate(1 / self.mean_between_ms))

    def draw_going_on(self, random: Random) -> int:
        """How long a spell met at a random moment lasts in all: a spell is met as often as it is long."""
        place = random.random() * self.mean_ms
        if place < self.shortest_ms:
            return self.draw(random)
        if place < self.shortest_ms + self._longest_rest * self._share_cut:
            return self.longest_ms
        while True:
            rest = round(random.lognormvariate(self._mu + self.sigma**2, self.sigma))
            if rest <= self._longest_rest:
                return self.shortest_ms + rest


# Irish network, November 2018: 8.6 % of connector time out of service, 1,708 outages, median 25 min, mean about 11 h
OUTAGES = Spells(25 * MINUTE, 2.9, 90 * SECOND, 14 * DAY, 0.09)
# the same network: out of contact 6.5 % of the time with very long spells; here somewhat fewer and shorter
OFFLINE = Spells(45 * MINUTE, 1.6, 90 * SECOND, 7 * DAY, 0.02)

SESSIONS_PER_DAY = 1.5
ZERO_ENERGY_SHARE = 0.05
FAILED_START_SHARE = 0.01
_MEDIAN_KWH = 10.5  # of sessions with energy, so that the median of all is 10
_SIGMA_KWH = 0.85
_MOST_KWH = 95.0

# sessions begun in each local hour, relative to the mean hour, as measured at ChargePlace Scotland
DAY_RHYTHM = (
    *(0.05, 0.05, 0.05, 0.08, 0.16, 0.47, 1.16, 1.80, 1.73, 1.68, 1.84, 2.07),
    *(2.07, 1.87, 1.86, 1.67, 1.53, 1.19, 0.86, 0.67, 0.55, 0.31, 0.17, 0.08),
)
_BUSIEST = max(DAY_RHYTHM)

ERROR_CODES = {  # OCPP 1.6, ChargePointErrorCode; weights by guess, with the usual suspects first
    "OtherError": 20,
    "GroundFailure": 14,
    "EVCommunicationError": 13,
    "ConnectorLockFailure": 12,
    "PowerMeterFailure": 8,
    "InternalError": 8,
    "HighTemperature": 7,
    "OverCurrentFailure": 6,
    "PowerSwitchFailure": 5,
    "UnderVoltage": 3,
    "ReaderFailure": 3,
    "OverVoltage": 1,
}


def draw_error_code(random: Random) -> str:
    return random.choices(list(ERROR_CODES), list(ERROR_CODES.values()))[0]


def draw_idle(random: Random, begins_ms: int, utc_offset_ms: int) -> int:
    """When the next driver comes to a free connector, in ms since 1970: by day more often than by night."""
    at_ms = begins_ms
    mean_ms = DAY / (SESSIONS_PER_DAY * _BUSIEST)
    while True:
        at_ms += round(random.expovariate(1 / mean_ms)) + SECOND
        hour = (at_ms + utc_offset_ms) // HOUR % 24
        if random.random() * _BUSIEST < DAY_RHYTHM[hour]:
            return at_ms


@dataclass(frozen=True)
class Charge:
    """One charge as it will go: energy in kWh, power in kW, and how long the car stays after it is full."""

    energy_kwh: float
    power_kw: float
    charging_ms: int
    parked_ms: int


def draw_charge(random: Random, max_power_kw: float) -> Charge:
    """A charge on a connector of `max_power_kw`: one in twenty takes nothing."""
    if random.random() < ZERO_ENERGY_SHARE:
        return Charge(0.0, 0.0, random.randint(40, 600) * SECOND, 0)
    energy = min(_MOST_KWH, max(0.05, random.lognormvariate(math.log(_MEDIAN_KWH), _SIGMA_KWH)))
    if max_power_kw > 25:
        power = max_power_kw * random.uniform(0.35, 0.85)
        parked_ms = 0
    else:
        power = min(max_power_kw, 11.0) * random.uniform(0.55, 0.97)
        parked_ms = round(random.expovariate(1 / (50 * MINUTE))) if random.random() < 0.6 else 0
    return Charge(round(energy, 3), round(power, 2), max(SECOND, round(energy / power * HOUR)), parked_ms)
