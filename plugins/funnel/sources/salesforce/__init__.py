"""Salesforce: leads, contacts, accounts, opportunities, their lines and histories, campaigns, activities, users, rates.

`queryAll` also gives deleted and merged records, which `query` hides. Windows are days in UTC over the time of the
last change, or of creation where records never change. Long windows are read by Bulk API 2.0, whose answers are CSV;
where it refuses an object, by REST like the short ones.
"""

from funnel.contract import Source
from funnel.sources.salesforce import fetch, streams

SOURCE = Source(
    name="salesforce",
    streams=streams.STREAMS,
    # Salesforce restates nothing; a record saved by a transaction that was open over midnight has a time of the day
    # before, so one more day is read.
    restatement_days=1,
    fetch=fetch.fetch,
    records=fetch.records,
    list_ids=fetch.list_ids,
    envelope="records",
    owner="sales operations",
)
