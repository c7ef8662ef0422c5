"""What comes of quantities that are multiplied or divided, and the currencies that amounts are written in.

Tables of the units that go together; what is not in them is an error of `rules check`. Nothing is converted from one
currency to another, and nothing here computes a value.
"""

from dataclasses import dataclass
from decimal import Context, Decimal

from rules.language.fields import EXACT, UNITS, Type

_ISO_4217 = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF "
    "CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG "
    "HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA "
    "MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD "
    "RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX "
    "USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG"
)
CURRENCIES = frozenset(_ISO_4217.split())
"""The codes of ISO 4217 that money is told in."""

AMOUNTS = frozenset({Type.MONEY, Type.PRICE, Type.RATE})
"""Types whose values are in a currency: money is per kWh in a price, per hour in a rate."""

SCALARS = frozenset({Type.NUMBER, Type.RATIO})

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Made:
    """What two quantities make: the type, and what their stored values' product or quotient is then multiplied and
    divided by.
    """

    type: Type
    times: float = 1.0
    over: float = 1.0


_PRODUCTS = {
    (Type.POWER, Type.DURATION): Made(Type.ENERGY, over=HOUR),
    (Type.PRICE, Type.ENERGY): Made(Type.MONEY),
    (Type.RATE, Type.DURATION): Made(Type.MONEY, over=HOUR),
    (Type.PRICE, Type.POWER): Made(Type.RATE),
}
_QUOTIENTS = {
    (Type.ENERGY, Type.DURATION): Made(Type.POWER, times=HOUR),
    (Type.ENERGY, Type.POWER): Made(Type.DURATION, times=HOUR),
    (Type.MONEY, Type.ENERGY): Made(Type.PRICE),
    (Type.MONEY, Type.PRICE): Made(Type.ENERGY),
    (Type.MONEY, Type.DURATION): Made(Type.RATE, times=HOUR),
    (Type.MONEY, Type.RATE): Made(Type.DURATION, times=HOUR),
    (Type.RATE, Type.POWER): Made(Type.PRICE),
    (Type.RATE, Type.PRICE): Made(Type.POWER),
}


def product_of(left: Type, right: Type) -> Made | None:
    """What two quantities make when multiplied, or None where they cannot be."""
    if left in SCALARS and right in SCALARS:
        return Made(Type.RATIO if left is right is Type.RATIO else Type.NUMBER)
    if left in SCALARS or right in SCALARS:
        return Made(right if left in SCALARS else left)
    return _PRODUCTS.get((left, right)) or _PRODUCTS.get((right, left))


def quotient_of(left: Type, right: Type) -> Made | None:
    """What one quantity divided by another makes, or None where it cannot be; of one kind, a ratio."""
    if left is right:
        return Made(Type.NUMBER if left is Type.NUMBER else Type.RATIO)
    return Made(left) if right in SCALARS else _QUOTIENTS.get((left, right))


def amount_type(unit: str) -> Type | None:
    """Whether `EUR` is money, `EUR/kWh` a price and `EUR/h` a rate; None for any other unit."""
    currency, _, per = unit.partition("/")
    if currency not in CURRENCIES:
        return None
    if not per:
        return Type.MONEY
    found = UNITS.get(per)
    kinds = {Type.ENERGY: Type.PRICE, Type.DURATION: Type.RATE}
    return None if found is None or "/" not in unit else kinds.get(found.type)


def stored_amount(number: Decimal, unit: str) -> float:
    """`number` of a unit of `amount_type` as it is stored: money, money per kWh or money per hour."""
    per = unit.partition("/")[2]
    if not per:
        return float(number)
    return float(EXACT.multiply(EXACT.divide(number, UNITS[per].scale), _per_base(per)))


def written_amount(value: float, unit: str) -> Decimal:
    """The number of `unit` that a stored amount is, with no more digits than it takes to be that amount again."""
    per = unit.partition("/")[2]
    number = Decimal(repr(value))
    if not per:
        return number
    exact = EXACT.divide(EXACT.multiply(number, UNITS[per].scale), _per_base(per))
    shorter = (Context(prec=digits).plus(exact) for digits in range(1, 18))
    return next((one for one in shorter if stored_amount(one, unit) == value), exact)


def _per_base(per: str) -> Decimal:
    return Decimal(3600) if UNITS[per].type is Type.DURATION else Decimal(1)


OVER_POWER = frozenset({"avg", "min", "max"})
"""The functions of a window that go over a power."""

OVER_UPTIME = frozenset({"uptime", "downtime"})
"""Those that go over how much of a time something was up."""
