"""What a delivery of files may do and a vendor's may not, and the reverse: the only place of the gate that asks."""

from dataclasses import dataclass

from funnel import settings
from funnel.contract import Source


@dataclass(frozen=True)
class Rules:
    """The rules of the deliveries of one source.

    has_every_stream   False if a manifest may describe only some entities
    fills_all_columns  False if a file may fill only some columns: expectations of the others are skipped
    quarantine_limit   the share of rows that may be quarantined; the manifest limits it for each file already
    currency           what is checked of amounts: that their currency is stated, or that its exchange rate is known
    others, cure       words of the advice: what goes on, what to do
    """

    has_every_stream: bool
    fills_all_columns: bool
    quarantine_limit: float
    currency: str
    others: str
    cure: str


def rules_of(source: Source) -> Rules:
    """The rules of a source: those of an inbox, or those of a vendor."""
    if source.is_inbox:
        return Rules(
            has_every_stream=False,
            fills_all_columns=False,
            quarantine_limit=1.0,
            currency="rate",
            others="sources",
            cure="Correct the file or the manifest: the next run reads them again.",
        )
    return Rules(
        has_every_stream=True,
        fills_all_columns=True,
        quarantine_limit=settings.read().quarantine_limit,
        currency="stated",
        others="connections",
        cure=f"Repair the cause, then run ingest__{source.name} for the same days again.",
    )
