"""HubSpot: contacts with stage history, companies, deals with lines and contacts, sellers' activities, owners, events.

Contacts and deals are found by search and then read in batches, because a search returns neither history nor
associations; associations are requested for the ids of each page and added to the records. Every search page starts
after the last id of the previous one; see `pages.by_highest_id`. Windows are days in UTC.
"""

from funnel.contract import Source
from funnel.sources.hubspot import fetch, streams

SOURCE = Source(
    name="hubspot",
    streams=streams.STREAMS,
    # HubSpot restates nothing, but its search shows a change only minutes later: one more day is read.
    restatement_days=1,
    fetch=fetch.fetch,
    records=fetch.records,
    envelope="results",
    list_ids=fetch.list_ids,
)
