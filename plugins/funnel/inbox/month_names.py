"""Names of months in other languages, mapped to the English ones of date formats."""

import re

# One line per month: English, German, Dutch, French, Spanish, Portuguese, Italian, Polish, Czech.
_NAMES = (
    "january jan januar jän jänner januari janvier janv enero ene janeiro gennaio gen styczeń stycznia sty leden",
    "february feb februar februari février févr fév febrero fevereiro fev febbraio luty lutego lut únor února",
    "march mar märz mär mrz maart mrt mars marzo março marco marzec marca březen března",
    "april apr avril avr abril abr aprile kwiecień kwietnia kwi duben dubna",
    "may mai mei mayo maio mag maggio maj maja květen května",
    "june jun juni juin junio junho jun giugno giu czerwiec czerwca cze červen června",
    "july jul juli juillet juil julio julho luglio lug lipiec lipca lip červenec července",
    "august aug augustus août aout agosto ago sierpień sierpnia sie srpen srpna",
    "september sep sept septembre septiembre set setembro settembre wrzesień września wrz září",
    "october oct oktober okt octobre octubre outubro out ottobre ott październik października paź říjen října",
    "november nov novembre noviembre novembro listopad listopada lis",
    "december dec dezember dez décembre déc decembre diciembre dic dezembro dicembre grudzień grudnia gru prosinec",
)
_ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: english for names, english in zip(_NAMES, _ENGLISH, strict=True) for name in names.split()}
_WORD = re.compile(r"[^\W\d_]+\.?")
_BETWEEN = re.compile(r"\s+(?:de|del|di|do)\s+", re.IGNORECASE)
_FIRST = re.compile(r"\b1(?:er|ère|º|°|st)\b|\b1[º°]", re.IGNORECASE)


def in_english(text: str) -> str:
    """A date's text with the short English name of its month; other texts unchanged."""
    if text.isascii() and not _WORD.search(text):
        return text
    plain = _BETWEEN.sub(" ", _FIRST.sub("1", text))
    return _WORD.sub(lambda found: _MONTHS.get(found[0].rstrip(".").lower(), found[0]), plain)
