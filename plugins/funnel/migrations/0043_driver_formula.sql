-- The driver tree (BLD-16): which step of the funnel changed the amount won, for the mart rpt_drivers and for analysts.
-- Names are qualified and the rights are those of the caller, so that row security holds.

create function bi.product_effects(earlier numeric[], later numeric[]) returns numeric[]
language plpgsql immutable strict parallel safe as $$
declare
    changed constant integer[] := array(
        select place from generate_subscripts(earlier, 1) as place where earlier[place] <> later[place]
    );
    n constant integer := cardinality(changed);
    effects numeric[] := array_fill(0::numeric, array[cardinality(earlier)]);
    -- A factor that stays the same has no effect, and multiplies those of the others.
    constant_part numeric := 1;
    sums numeric[];
    weighted numeric;
begin
    for place in 1..cardinality(earlier) loop
        if place <> all(changed) then
            constant_part := constant_part * earlier[place];
        end if;
    end loop;
    for place in 1..n loop
        -- sums[k + 1]: over every set of k other factors, the product with these as later and the rest as earlier.
        sums := array[1::numeric] || array_fill(0::numeric, array[n]);
        for other in 1..n loop
            continue when other = place;
            for k in reverse n..2 loop
                sums[k] := sums[k] * earlier[changed[other]] + sums[k - 1] * later[changed[other]];
            end loop;
            sums[1] := sums[1] * earlier[changed[other]];
        end loop;
        -- Of the orders of n factors, k! (n - 1 - k)! put exactly this set before the factor.
        weighted := 0;
        for k in 0..n - 1 loop
            weighted := weighted + sums[k + 1] * factorial(k) * factorial(n - 1 - k);
        end loop;
        effects[changed[place]]
            := constant_part * (later[changed[place]] - earlier[changed[place]]) * weighted / factorial(n);
    end loop;
    return effects;
end
$$;
comment on function bi.product_effects is
    'How much each factor of a product contributed to the change of the product: its effect, averaged over all orders in which '
    'the factors can change (Shapley value). The effects add up to the change, but for the rounding of the last division.';

create function bi.driver_effects(
    earlier bigint[],
    later bigint[],
    earlier_amount numeric,
    later_amount numeric,
    out step text,
    out from_step text,
    out earlier_factor numeric,
    out later_factor numeric,
    out volume_effect numeric,
    out rate_effect numeric,
    out value_effect numeric
) returns setof record
language sql immutable parallel safe rows 8 as $$
    with

    counted as (
        select
            counts.step_no,
            counts.step,
            coalesce(counts.earlier_count, 0)::numeric as earlier_count,
            coalesce(counts.later_count, 0)::numeric as later_count
        from
            unnest(array['session', 'lead', 'mql', 'sal', 'sql', 'opportunity', 'won'], earlier, later)
            with ordinality as counts (step, earlier_count, later_count, step_no)
    ),

    -- A step that is 0 before one that is not was skipped: nothing can be divided by it.
    chained as (
        select
            *,
            lag(step) over in_order as from_step,
            lag(earlier_count) over in_order as earlier_base,
            lag(later_count) over in_order as later_base
        from counted
        where not exists (
            select from counted as after
            where
                after.step_no > counted.step_no
                and (
                    counted.earlier_count = 0 and after.earlier_count > 0
                    or counted.later_count = 0 and after.later_count > 0
                )
        )
        window in_order as (order by step_no)
    ),

    factors as (
        select
            step_no,
            step,
            from_step,
            case
                when from_step is null then earlier_count else round(earlier_count, 30) / nullif(earlier_base, 0)
            end as earlier_factor,
            case
                when from_step is null then later_count else round(later_count, 30) / nullif(later_base, 0)
            end as later_factor
        from chained
        union all
        select
            8,
            'amount',
            'won',
            round(earlier_amount, 30) / nullif(earlier_count, 0),
            round(later_amount, 30) / nullif(later_count, 0)
        from counted
        where step = 'won'
    ),

    -- A factor that one period does not have is as in the other one: it explains nothing.
    contributions as (
        select
            bi.product_effects(
                array_agg(coalesce(earlier_factor, later_factor, 0) order by step_no),
                array_agg(coalesce(later_factor, earlier_factor, 0) order by step_no)
            ) as effects
        from factors
    ),

    rounded as (
        select
            factors.*,
            round(contributions.effects[row_number() over (order by factors.step_no)], 8) as effect
        from factors
        cross join contributions
    ),

    -- What rounding leaves belongs to the largest effect, so that the effects are the change to the last digit.
    exact as (
        select
            *,
            effect + case
                when row_number() over (order by abs(effect) desc, step_no desc) = 1
                    then coalesce(later_amount, 0) - coalesce(earlier_amount, 0) - sum(effect) over ()
                else 0
            end as exact_effect
        from rounded
    )

    select
        step,
        from_step,
        trim_scale(round(earlier_factor, 12)),
        trim_scale(round(later_factor, 12)),
        case when from_step is null then trim_scale(exact_effect) else 0 end,
        case when from_step is not null and step <> 'amount' then trim_scale(exact_effect) else 0 end,
        case when step = 'amount' then trim_scale(exact_effect) else 0 end
    from exact
    where exact_effect <> 0
    order by step_no
$$;
comment on function bi.driver_effects is
    'Which step changed the amount won from an earlier to a later period. Both arrays count sessions, leads, MQLs, SALs, SQLs, '
    'opportunities and won. The amount is the first step''s number times the rate of each further step times the mean amount; a '
    'step that one period skipped is left out. One row per step with an effect; effects add up to the change, exactly.';

create function bi.won_amount_drivers(
    first_day date, last_day date, against_first_day date, against_last_day date
) returns table (
    channel text,
    campaign_key text,
    region text,
    step text,
    from_step text,
    earlier_factor numeric,
    later_factor numeric,
    volume_effect numeric,
    rate_effect numeric,
    value_effect numeric
)
language plpgsql stable as $$
#variable_conflict use_column
begin
    if coalesce(first_day > last_day or against_first_day > against_last_day, true) then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = format(
                'The periods %s to %s and %s to %s are not valid: each needs a first day that is not after its last day.',
                coalesce(first_day::text, 'null'), coalesce(last_day::text, 'null'),
                coalesce(against_first_day::text, 'null'), coalesce(against_last_day::text, 'null')
            ),
            hint = 'Give the period to explain, then the one to compare it with: '
            'bi.won_amount_drivers(''2026-10-01'', ''2026-10-31'', ''2026-09-01'', ''2026-09-30'').';
    end if;
    return query
    select
        segments.channel,
        segments.campaign_key,
        segments.region,
        effects.*
    from (
        select
            sides.channel,
            sides.campaign_key,
            sides.region,
            max(sides.counts) filter (where not sides.is_later) as earlier,
            max(sides.counts) filter (where sides.is_later) as later,
            max(sides.amount) filter (where not sides.is_later) as earlier_amount,
            max(sides.amount) filter (where sides.is_later) as later_amount
        from (
            select
                funnel.channel,
                funnel.campaign_key,
                funnel.region,
                periods.is_later,
                array[
                    sum(funnel.sessions), sum(funnel.leads), sum(funnel.mqls), sum(funnel.sals), sum(funnel.sqls),
                    sum(funnel.opportunities), sum(funnel.won)
                ]::bigint[] as counts,
                sum(funnel.won_amount) as amount
            from bi.fct_funnel_daily as funnel
            inner join (values (against_first_day, against_last_day, false), (first_day, last_day, true))
                as periods (from_day, to_day, is_later)
                on funnel.date_day between periods.from_day and periods.to_day
            group by funnel.channel, funnel.campaign_key, funnel.region, periods.is_later
        ) as sides
        group by sides.channel, sides.campaign_key, sides.region
    ) as segments
    cross join lateral bi.driver_effects(
        segments.earlier, segments.later, segments.earlier_amount, segments.later_amount
    ) as effects;
end
$$;
comment on function bi.won_amount_drivers is
    'What changed the amount won from the days against_first_day to against_last_day to the days first_day to last_day, both '
    'included, by channel, campaign, region and step: as rpt_drivers, for any two periods. The effects add up to the change.';
