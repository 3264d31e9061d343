"""The statistics of LinkedIn's campaigns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import unquote

from sandbox.ad_accounts import AdAccount, Campaign, Figures
from sandbox.clock import day_of
from sandbox.exchange import Answer, Call, World
from sandbox.linkedin_ads.access import VENDOR, authorize, id_of, illegal, read_value

MOST_FIELDS = 20
# Metrics that clients may request and that are always zero here.
# fmt: off
ALWAYS_ZERO = (
    "actionClicks", "adUnitClicks", "approximateMemberReach", "cardClicks", "cardImpressions", "commentLikes",
    "comments", "companyPageClicks", "documentCompletions", "documentFirstQuartileCompletions",
    "documentMidpointCompletions", "documentThirdQuartileCompletions", "downloadClicks", "follows",
    "fullScreenPlays", "jobApplications", "jobApplyClicks", "leadGenerationMailContactInfoShares",
    "leadGenerationMailInterestedClicks", "likes", "oneClickLeadFormOpens", "opens", "otherEngagements",
    "postClickJobApplications", "postClickJobApplyClicks", "postClickRegistrations", "postViewJobApplications",
    "postViewJobApplyClicks", "postViewRegistrations", "reactions", "registrations", "sends", "shares",
    "talentLeads", "textUrlClicks", "validWorkEmailLeads", "videoCompletions", "videoFirstQuartileCompletions",
    "videoMidpointCompletions", "videoStarts", "videoThirdQuartileCompletions", "videoViews", "viralCardClicks",
    "viralCardImpressions", "viralClicks", "viralCommentLikes", "viralComments", "viralCompanyPageClicks",
    "viralDocumentCompletions", "viralDocumentFirstQuartileCompletions", "viralDocumentMidpointCompletions",
    "viralDocumentThirdQuartileCompletions", "viralDownloadClicks", "viralExternalWebsiteConversions",
    "viralExternalWebsitePostClickConversions", "viralExternalWebsitePostViewConversions", "viralFollows",
    "viralFullScreenPlays", "viralImpressions", "viralJobApplications", "viralJobApplyClicks",
    "viralLandingPageClicks", "viralLikes", "viralOneClickLeadFormOpens", "viralOneClickLeads",
    "viralOtherEngagements", "viralPostClickJobApplications", "viralPostClickJobApplyClicks",
    "viralPostClickRegistrations", "viralPostViewJobApplications", "viralPostViewJobApplyClicks",
    "viralPostViewRegistrations", "viralReactions", "viralRegistrations", "viralShares",
    "viralTotalEngagements", "viralVideoCompletions", "viralVideoFirstQuartileCompletions",
    "viralVideoMidpointCompletions", "viralVideoStarts", "viralVideoThirdQuartileCompletions",
    "viralVideoViews",
)
PIVOTS = ("ACCOUNT", "CAMPAIGN")


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


METRICS: dict[str, Callable[[Figures], Any]] = {
    "impressions": lambda figures: figures.impressions,
    "clicks": lambda figures: figures.clicks,
    "landingPageClicks": lambda figures: figures.clicks * 9 // 10,
    "totalEngagements": lambda figures: figures.clicks,
    "costInLocalCurrency": lambda figures: _money(figures.spend_cents),
    "costInUsd": lambda figures: _money(figures.spend_cents),
    "externalWebsiteConversions": lambda figures: int(figures.conversions) - int(figures.conversions) // 3,
    "externalWebsitePostClickConversions": lambda figures: int(figures.conversions) - int(figures.conversions) // 3,
    "externalWebsitePostViewConversions": lambda figures: 0,
    "oneClickLeads": lambda figures: int(figures.conversions) // 3,
    "conversionValueInLocalCurrency": lambda figures: _money(round(figures.conversions_value * 100)),
    **{name: lambda figures: 0 for name in ALWAYS_ZERO},
}


def _day(parts: Any, which: str) -> date:
    try:
        return date(int(parts["year"]), int(parts["month"]), int(parts["day"]))
    except (KeyError, TypeError, ValueError):
        raise illegal(f"Invalid dateRange.{which}") from None


def _day_parts(day: date) -> dict[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}


def _simple(value: Any) -> Any:
    """`CAMPAIGN`, or `(value:CAMPAIGN)` as older clients write it."""
    return value.get("value") if isinstance(value, dict) else value


def _facets(world: World, parameters: dict[str, str]) -> list[tuple[AdAccount, Campaign]]:
    """The campaigns that the facets name; those that the member may not read are left out silently."""
    known = {name: read_value(parameters[name]) for name in ("accounts", "campaigns") if name in parameters}
    if not known:
        raise illegal(
            "At least one facet is required: shares, campaigns, creatives, campaignGroups, accounts or companies"
        )
    accounts = {id_of(urn, "sponsoredAccount") for urn in known["accounts"]} if "accounts" in known else None
    campaigns = {id_of(urn, "sponsoredCampaign") for urn in known["campaigns"]} if "campaigns" in known else None
    return [
        (account, campaign)
        for account in world.scenario.accounts(VENDOR)
        if accounts is None or account.id in accounts
        for campaign in account.campaigns
        if campaigns is None or campaign.id in campaigns
    ]


@dataclass(frozen=True)
class Question:
    """What a call of the finder asks for."""

    pivot: str
    by_day: bool
    start: date
    end: date
    fields: list[str]


def _question(parameters: dict[str, str], today: date) -> Question:
    for name in ("pivot", "timeGranularity", "dateRange"):
        if name not in parameters:
            raise illegal(f"Parameter '{name}' is required")
    pivot, granularity = (_simple(read_value(parameters[name])) for name in ("pivot", "timeGranularity"))
    if pivot not in PIVOTS:
        raise illegal(f"Invalid value for pivot: {pivot}")
    if granularity not in ("DAILY", "ALL"):
        raise illegal(f"Invalid value for timeGranularity: {granularity}")
    span = read_value(parameters["dateRange"])
    start = _day(span.get("start") if isinstance(span, dict) else None, "start")
    end = _day(span["end"], "end") if "end" in span else today
    if start > end:
        raise illegal("dateRange.start must not be after dateRange.end")
    fields = unquote(parameters.get("fields", "impressions,clicks")).split(",")
    if len(fields) > MOST_FIELDS:
        raise illegal(f"At most {MOST_FIELDS} fields may be requested at once")
    for name in fields:
        if name not in METRICS and name not in ("dateRange", "pivotValues"):
            raise illegal(f"Unknown metric: {name}")
    return Question(pivot, granularity == "DAILY", start, end, fields)


def _by_pivot(pivot: str, members: list[tuple[AdAccount, Campaign]]) -> dict[str, list[tuple[AdAccount, Campaign]]]:
    """The campaigns of each URN that has a row of its own."""
    groups: dict[str, list[tuple[AdAccount, Campaign]]] = {}
    for account, campaign in members:
        urn = (
            f"urn:li:sponsoredCampaign:{campaign.id}"
            if pivot == "CAMPAIGN"
            else f"urn:li:sponsoredAccount:{account.id}"
        )
        groups.setdefault(urn, []).append((account, campaign))
    return groups


def _total(shown: list[Figures]) -> Figures:
    return Figures(
        sum(part.spend_cents for part in shown),
        sum(part.impressions for part in shown),
        sum(part.clicks for part in shown),
        sum(part.conversions for part in shown),
        sum(part.conversions_value for part in shown),
    )


def _elements(world: World, call: Call, parameters: dict[str, str]) -> Iterator[dict[str, Any]]:
    today = day_of(call.now)
    asked = _question(parameters, today)
    groups = _by_pivot(asked.pivot, _facets(world, parameters))
    days = [asked.start + timedelta(n) for n in range((min(asked.end, today) - asked.start).days + 1)]
    spans = [(day, day, [day]) for day in days] if asked.by_day else [(asked.start, asked.end, days)]
    for first, last, inside in spans:
        for urn, members in groups.items():
            shown = [
                figures
                for account, campaign in members
                for day in inside
                if (figures := account.report(campaign, day, call.now))
            ]
            if shown:
                total = _total(shown)
                element: dict[str, Any] = {
                    "dateRange": {"start": _day_parts(first), "end": _day_parts(last)},
                    "pivotValues": [urn],
                    **{name: METRICS[name](total) for name in asked.fields if name in METRICS},
                }
                yield {name: element[name] for name in element if name in asked.fields}


def read_analytics(world: World, call: Call, _: dict[str, str]) -> Answer:
    """GET /rest/adAnalytics?q=analytics: one answer, cut silently where it is too long."""
    parameters = authorize(world, call)
    if parameters.get("q") != "analytics":
        raise illegal("No such finder here; adAnalytics has q=analytics")
    elements = list(_elements(world, call, parameters))[: world.settings.linkedin_max_elements]
    return Answer({"paging": {"start": 0, "count": 10, "links": []}, "elements": elements})
