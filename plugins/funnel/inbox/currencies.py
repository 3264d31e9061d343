"""Currencies, units and shares next to numbers: the data, and the look-up of a sign or word."""

from decimal import Decimal


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


# ISO 4217, active codes of money.
CODES = frozenset(
    _listed(
        """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP
    CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR
    ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT
    MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES
    VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG HRK
        """
    )
)
# Signs and the currencies that use them.
SIGNS: dict[str, tuple[str, ...]] = {
    "$": _listed(
        "USD CAD AUD NZD MXN ARS CLP COP HKD SGD TWD BBD BMD BND BSD BZD"
        " FJD GYD JMD KYD LRD NAD TTD XCD"
    ),
    "us$": ("USD",), "c$": ("CAD",), "ca$": ("CAD",), "a$": ("AUD",), "au$": ("AUD",), "nz$": ("NZD",),
    "r$": ("BRL",), "mx$": ("MXN",), "hk$": ("HKD",), "s$": ("SGD",), "nt$": ("TWD",),
    "€": ("EUR",), "£": ("GBP", "EGP", "GIP", "FKP", "SHP"), "¥": ("JPY", "CNY"), "₹": ("INR",), "₽": ("RUB",),
    "₺": ("TRY",), "₩": ("KRW",), "₪": ("ILS",), "฿": ("THB",), "₫": ("VND",), "₴": ("UAH",), "₦": ("NGN",),
    "kr": ("SEK", "NOK", "DKK", "ISK"), "zł": ("PLN",), "kč": ("CZK",), "ft": ("HUF",), "lei": ("RON",),
    "rs": ("INR", "PKR", "LKR", "NPR"), "fr": ("CHF",), "sfr": ("CHF",), "₱": ("PHP",), "₸": ("KZT",), "₡": ("CRC",),
}  # fmt: skip
_UNITS = {
    "1000": "k tsd tausend thousand thousands mille tys tis тыс 千 duizend miles",
    "10000": "万 萬",
    "100000": "lakh lakhs",
    "1000000": "mio mln mn million millions millionen millón millones milhão milhões milione milioni miljoen млн 百万",
    "10000000": "crore crores",
    "100000000": "亿 億",
    "1000000000": "mrd mlrd mld mia bn milliard milliards milliarde milliarden miljard млрд",
}
UNITS = {word: Decimal(factor) for factor, words in _UNITS.items() for word in words.split()}
# Words with two meanings: thousand or million, million or milliard, milliard or million millions.
AMBIGUOUS = frozenset(_listed("m mm b t g mil mill cr billion billions billionen billón billones trillion trillions"))
PERCENT = frozenset(["%", "pct", "percent", "per", "cent", "prozent", "procent", "pourcent", "por", "ciento"])


def candidates(mark: str) -> tuple[str, ...]:
    """The currencies that a sign or code may stand for; empty if it is neither."""
    if mark in CODES:
        return (mark,)
    return SIGNS.get(mark.lower().rstrip("."), ())


# A sign that other currencies share, and that means this one unless another is stated.
_FIRST_MEANT = {"£": "GBP"}


def meant(mark: str, stated: str | None) -> str | None:
    """The currency of a cell with this sign if `stated` is expected; None if several currencies share the sign."""
    possible = candidates(mark)
    if stated in possible:
        return stated
    return possible[0] if len(possible) == 1 else _FIRST_MEANT.get(mark)
