"""Ten thousand generated journeys through the models' own SQL, compared with independent packages."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from funnel import ledger, settings
from funnel.build import dbt_run
from funnel.build.computations import catalogue, engine
from tests.conftest import fresh_warehouse

CHANNELS = ("Direct", "Email", "Events", "Outbound", "Paid Search", "Paid Social", "Referral")
JOURNEYS = 10_000
CLOSE = datetime(2026, 3, 30, 12, tzinfo=UTC)
BUILD = ledger.Build(1, datetime(2026, 4, 1, tzinfo=UTC), True, 0, 0)
WINDOW = timedelta(days=180)


@dataclass(frozen=True)
class Journey:
    """A person's touches in order; two in ten have the same time as the touch before, some are long ago."""

    number: int
    touches: tuple[tuple[datetime, str], ...]
    lead_at: datetime
    opportunity_at: datetime
    is_won: bool

    @property
    def counted(self) -> tuple[tuple[datetime, str], ...]:
        return tuple(each for each in self.touches if CLOSE - WINDOW <= each[0] < CLOSE)

    @property
    def channels(self) -> list[str]:
        return [channel for _, channel in self.counted]


def journeys() -> Iterator[Journey]:
    chance = random.Random(11)
    for number in range(JOURNEYS):
        times = sorted(CLOSE - timedelta(minutes=chance.randint(1, 80 * 24 * 60)) for _ in range(chance.randint(1, 9)))
        for place in range(1, len(times)):
            if chance.random() < 0.2:
                times[place] = times[place - 1]
        if chance.random() < 0.1:
            times.insert(0, CLOSE - WINDOW - timedelta(minutes=chance.randint(1, 9)))
        if chance.random() < 0.1:
            times.append(CLOSE)
        created = CLOSE - timedelta(minutes=chance.randint(0, 100 * 24 * 60))
        yield Journey(
            number,
            tuple((time, chance.choices(CHANNELS, range(1, 8))[0]) for time in times),
            created,
            created + (CLOSE - created) * chance.random(),
            number % 5 < 2,
        )


ALL = list(journeys())
WON = [journey for journey in ALL if journey.is_won]


@dataclass
class Attributed:
    """Results of the project's SQL and statistics.

    credits   model → (journey, position on its path) → credit
    removal   channel → (removal effect, conversions by the chain, conversions by path)
    """

    credits: dict[str, dict[tuple[int, int], float]]
    removal: dict[str, tuple[float, float, float]]


@pytest.fixture(scope="module")
def attributed(cluster_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attributed]:
    with (
        pytest.MonkeyPatch.context() as patch,
        fresh_warehouse(cluster_home, patch, tmp_path_factory.mktemp("attribution")),
        psycopg.connect(settings.dsn("builder"), autocommit=True) as connection,
    ):
        write_tables(connection)
        with psycopg.connect(settings.dsn("admin")) as admin:
            admin.execute(
                """
                insert into ops.builds (
                    as_of, is_full, since_load_id, through_load_id, reporting_currency, reporting_timezone, master_crm,
                    sources_configured, sources_late, status, project_fingerprint, code_version
                )
                values (%s, true, 0, 0, 'USD', 'UTC', 'salesforce', '{}', '{}', 'building', 'test', 'test')
                """,
                (BUILD.as_of,),
            )
        names = ("int_conversion_touches", "int_lead_endings", "int_channel_transitions")
        names += ("fct_attribution", "rpt_channel_removal")
        outcome = dbt_run._invoke(dbt_run.PROJECT, "compile", "--select", *names)
        assert outcome.success, outcome.exception
        queries = {result.node.name: result.node.compiled_code for result in outcome.result.results}
        for name in names[:3]:
            connection.execute(f"create table intermediate.{name} as {queries[name]}".encode())
        engine.run(connection, BUILD, [each for each in catalogue.COMPUTATIONS if each.name == "removal_effects"])
        connection.execute("create view staging.stg_statistics__removal_effects as table statistics.removal_effects")
        connection.execute(f"create table marts.fct_attribution as {queries['fct_attribution']}".encode())
        found: dict[str, dict[tuple[int, int], float]] = defaultdict(dict)
        for model, number, place, credit in connection.execute(
            b"""
            select credited.model, touches.converted_key::integer, touches.touch_no, credited.credit
            from marts.fct_attribution as credited
            inner join intermediate.int_conversion_touches as touches using (conversion_id, touch_id)
            where credited.conversion_type = 'won' and touches.n_touches > 0
            """
        ):
            found[model][number, place] = float(credit)
        removal = connection.execute(
            "select channel, removal_effect::float, conversions_by_chain::float, conversions_by_path::float "
            f"from ({queries['rpt_channel_removal']}) as removal where conversion_type = 'won'".encode()
        )
        yield Attributed(found, {channel: (effect, chain, path) for channel, effect, chain, path in removal})


@pytest.fixture(scope="module")
def credits(attributed: Attributed) -> dict[str, dict[tuple[int, int], float]]:
    return attributed.credits


def write_tables(connection: psycopg.Connection[Any]) -> None:
    """The tables that the models read, with the columns that matter to them."""
    connection.execute(
        """
        create table marts.fct_touchpoints (
            touch_id text, person_key text, lead_key text, source_system text, channel text, campaign_key text,
            touched_at timestamptz
        );
        create table marts.fct_opportunities (
            opportunity_key text, lead_key text, opportunity_type text, region text, amount numeric, is_won boolean,
            created_at timestamptz, closed_at timestamptz, person_key text
        );
        create table intermediate.int_opportunity_contacts (opportunity_key text, person_key text);
        create table marts.fct_leads (
            lead_key text, person_key text, created_at timestamptz, opportunity_at timestamptz, won_at timestamptz,
            lost_at timestamptz, disqualified_at timestamptz, recycled_at timestamptz
        );
        create table marts.fct_orders (
            order_key text, person_key text, region text, net_amount numeric, is_counted boolean, opportunity_key text,
            ordered_at timestamptz, is_revenue boolean
        );
        """
    )
    rows: dict[str, list[tuple[Any, ...]]] = {
        "marts.fct_touchpoints": [
            (f"{each.number}:{place:02}", key(each), cycle(each, time), "hubspot", channel, "(no campaign)", time)
            for each in ALL
            for place, (time, channel) in enumerate(each.touches)
        ],
        "marts.fct_opportunities": [
            (key(each), key(each), "new_business", "EMEA", 100, True, each.opportunity_at, CLOSE, key(each))
            for each in WON
        ],
        "intermediate.int_opportunity_contacts": [(key(each), key(each)) for each in WON],
        "marts.fct_leads": [
            (key(each), key(each), each.lead_at, each.opportunity_at, *ends(each), None, None) for each in ALL
        ],
    }
    # The physical order of rows has no meaning.
    for table, lines in rows.items():
        random.Random(5).shuffle(lines)
        with connection.cursor() as cursor, cursor.copy(f"copy {table} from stdin".encode()) as copy:
            for line in lines:
                copy.write_row(line)


def cycle(journey: Journey, touched_at: datetime) -> str | None:
    """A touch half a year back belongs to no cycle: its silence would be a journey of its own."""
    return key(journey) if touched_at > CLOSE - WINDOW else None


def ends(journey: Journey) -> tuple[datetime | None, datetime | None]:
    """The times at which the journey was won and lost."""
    return (CLOSE, None) if journey.is_won else (None, CLOSE)


def key(journey: Journey) -> str:
    return str(journey.number)


def unified(some: list[Journey]) -> Any:
    """The journeys in the form of the package marketing-attribution-models."""
    import polars

    return polars.DataFrame(
        {
            "journey_id": [each.number for each in some],
            "channels": [each.channels for each in some],
            "time_till_conv": [[(CLOSE - time).total_seconds() / 3600 for time, _ in each.counted] for each in some],
            "has_conversion": [each.is_won for each in some],
            "weight": 1.0,
            "conversion_value": 1.0,
        }
    )


def by_channel(credits: dict[tuple[int, int], float]) -> dict[str, float]:
    channels = {each.number: each.channels for each in WON}
    sums: Counter[str] = Counter()
    for (number, place), credit in credits.items():
        sums[channels[number][place - 1]] += credit
    return dict(sums)


def test_every_touch_inside_the_window_has_a_row_and_credit_adds_up(credits: dict[str, Any]) -> None:
    expected = {(each.number, place) for each in WON for place in range(1, len(each.counted) + 1)}
    assert len(credits) == 11
    for model, found in credits.items():
        assert set(found) == expected, model
        sums: Counter[int] = Counter()
        for (number, _), credit in found.items():
            sums[number] += credit
        assert all(abs(total - 1) < 1e-9 for total in sums.values()), model


@pytest.mark.parametrize(("model", "name"), [("first", "FirstClickModel"), ("last", "LastClickModel")])
def test_first_and_last_equal_an_independent_package(credits: dict[str, Any], model: str, name: str) -> None:
    from mam.models import heuristics

    theirs = getattr(heuristics, name)().get_aggregated_results(unified([each for each in WON if each.counted]))
    assert by_channel(credits[model]) == pytest.approx(dict(theirs.rows()), abs=1e-9)


@pytest.mark.parametrize(
    ("model", "name", "column"),
    [
        ("linear", "LinearModel", "split_value"),
        ("position", "PositionBasedModel", "attribution_value"),
        ("time_decay", "TimeDecayModel", "attribution_value"),
    ],
)
def test_every_touch_equals_an_independent_package(credits: dict[str, Any], model: str, name: str, column: str) -> None:
    from mam.models import heuristics

    theirs = getattr(heuristics, name)().calculate(unified([each for each in WON if each.counted]))
    if model == "linear":
        theirs = theirs.explode("channels")
    assert credits[model] == pytest.approx(places(theirs, column), abs=1e-9)


@pytest.fixture(scope="module")
def their_effects() -> dict[str, float]:
    """Removal effects by the package, whose chain contains the journeys that did not convert."""
    from mam.models.markov import MarkovModel

    model = MarkovModel()
    model._compute_markov(unified([each for each in ALL if each.counted]))
    return model.removal_effect_df["removal_effect"].to_dict()  # type: ignore[no-any-return]


def test_markov_credit_is_shared_by_distinct_channels_with_the_effects_of_an_independent_package(
    credits: dict[str, Any], their_effects: dict[str, float]
) -> None:
    expected = {}
    for each in WON:
        total = sum(their_effects[channel] for channel in set(each.channels))
        for place, channel in enumerate(each.channels, 1):
            expected[each.number, place] = their_effects[channel] / total / each.channels.count(channel)
    assert credits["markov"] == pytest.approx(expected, abs=1e-9)
    assert any(len(set(each.channels)) < len(each.channels) for each in WON)


def test_both_counts_of_conversions_by_channel(attributed: Attributed, their_effects: dict[str, float]) -> None:
    n_conversions = sum(bool(each.counted) for each in WON)
    everything = sum(their_effects.values())
    removal = attributed.removal
    assert {channel: effect for channel, (effect, _, _) in removal.items()} == pytest.approx(their_effects, abs=1e-9)
    by_chain = {channel: n_conversions * effect / everything for channel, effect in their_effects.items()}
    assert {channel: chain for channel, (_, chain, _) in removal.items()} == pytest.approx(by_chain, abs=1e-6)
    by_path = by_channel(attributed.credits["markov"])
    assert {channel: path for channel, (_, _, path) in removal.items()} == pytest.approx(by_path, abs=1e-6)
    assert max(abs(by_chain[channel] - by_path[channel]) for channel in by_chain) > 1


def places(table: Any, column: str) -> dict[tuple[int, int], float]:
    """(journey, position) → value, from rows in the order of touches."""
    counted: Counter[int] = Counter()
    values = {}
    for number, value in table.select("journey_id", column).rows():
        counted[number] += 1
        values[number, counted[number]] = value
    return values


def test_shapley_equals_an_independent_package(credits: dict[str, Any]) -> None:
    from shapley_attribution.models.simplified import SimplifiedShapleyAttribution

    some = [each.channels for each in WON if each.counted]
    theirs = SimplifiedShapleyAttribution(normalize=False)
    theirs.conversions_ = [True] * len(some)
    assert by_channel(credits["shapley"]) == pytest.approx(theirs._compute_attribution(some), abs=1e-9)
    expected = {}
    for each in WON:
        shares = theirs._attribute_single(each.channels)
        for place, channel in enumerate(each.channels, 1):
            expected[each.number, place] = shares[channel] / each.channels.count(channel)
    assert credits["shapley"] == pytest.approx(expected, abs=1e-9)


def test_shapes_with_milestones_are_what_their_names_say(credits: dict[str, Any]) -> None:
    """Computed from the definition, touch by touch."""
    shapes = {
        "u_shaped": ({"first": 40, "lead": 40}, 20),
        "w_shaped": ({"first": 30, "lead": 30, "opportunity": 30}, 10),
        "full_path": ({"first": 22.5, "lead": 22.5, "opportunity": 22.5, "close": 22.5}, 10),
    }
    seen = set()
    expected: dict[str, dict[tuple[int, int], float]] = defaultdict(dict)
    for each in WON:
        times = [time for time, _ in each.counted]
        if not times:
            continue
        until_lead = [place for place, time in enumerate(times) if time <= each.lead_at]
        until_opportunity = [place for place, time in enumerate(times) if time < each.opportunity_at]
        milestones = {
            "first": 0,
            "lead": until_lead[-1] if until_lead else None,
            "opportunity": until_opportunity[-1] if until_opportunity else None,
            "close": len(times) - 1,
        }
        for model, (parts, rest) in shapes.items():
            present = {name: share for name, share in parts.items() if milestones[name] is not None}
            others = set(range(len(times))) - {milestones[name] for name in present}
            share = dict.fromkeys(range(len(times)), 0.0)
            for name, part in present.items():
                share[milestones[name]] += part  # type: ignore[index]
            for place in others:
                share[place] += rest / len(others)
            total = sum(share.values())
            seen.add((model, len(present), bool(others)))
            for place, part in share.items():
                expected[model][each.number, place + 1] = part / total
    # Two and three of three milestones and so on, each with and without a rest.
    assert len(seen) >= 12
    for model in shapes:
        assert credits[model] == pytest.approx(expected[model], abs=1e-9)


def test_last_non_direct_is_direct_only_where_all_are(credits: dict[str, Any]) -> None:
    for each in WON:
        channels = each.channels
        others = [place for place, channel in enumerate(channels, 1) if channel != "Direct"]
        for place in range(1, len(channels) + 1):
            assert credits["last_non_direct"][each.number, place] == (place == (others or [len(channels)])[-1])
