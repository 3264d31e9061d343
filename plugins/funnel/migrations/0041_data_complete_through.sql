-- The last complete day, as people read it. `data_as_of` is the moment at which that day ended.

create or replace view bi.data_status as
with last_audited as (
    select
        build.build_id,
        build.status,
        build.sources_late,
        max(audit.checked_at) as last_audit_at
    from ops.builds as build
    inner join ops.checks as audit on build.build_id = audit.build_id
    group by build.build_id
    order by build.build_id desc
    limit 1
),

failed as (
    select
        array_agg(
            audit.table_name || ': ' || audit.expectation
            || coalesce(' (' || audit.unexpected_count || ' rows)', '')
            || case when cardinality(audit.sample_keys) > 0 then ' keys ' || array_to_string(audit.sample_keys[1:3], ', ') else '' end
            order by audit.check_id
        ) as failed_checks
    from ops.latest_checks as audit
    inner join last_audited on audit.build_id = last_audited.build_id
    where not audit.passed and audit.severity = 'critical'
),

last_build as (
    select *
    from ops.builds
    order by build_id desc
    limit 1
),

gaps as (
    select array_agg(distinct source || ' ' || date_day order by source || ' ' || date_day) as incomplete_days
    from ops.incomplete_days
)

select
    mart.mart,
    shown.as_of as data_as_of,
    shown.published_at,
    shown.publication_id,
    last_audited.last_audit_at,
    cardinality(coalesce(failed.failed_checks, '{}')) = 0 and last_audited.last_audit_at is not null as last_audit_passed,
    coalesce(failed.failed_checks, '{}') as failed_checks,
    coalesce(gaps.incomplete_days, '{}') as incomplete_days,
    coalesce(last_build.sources_late, '{}') as sources_late,
    shown_build.reporting_currency,
    shown_build.reporting_timezone,
    hold.held_since,
    hold.held_by,
    hold.held_reason,
    waiting.build_id as waiting_build,
    concat(
        'readers see publication ' || shown.publication_id || ' of '
        || to_char(shown.published_at at time zone shown_build.reporting_timezone, 'FMDD Mon YYYY, HH24:MI'),
        '; held by ' || hold.held_by || ' since '
        || to_char(hold.held_since at time zone shown_build.reporting_timezone, 'FMDD Mon YYYY, HH24:MI')
        || ' because: ' || hold.held_reason,
        case when hold.held_since is not null then '; build ' || waiting.build_id || ' is audited and waits' end,
        '; build ' || waiting.build_id || ' waits for approval because ' || array_to_string(waiting.approval_reasons, '; ')
    ) as readers_see,
    (shown.as_of at time zone shown_build.reporting_timezone)::date - 1 as data_complete_through
from ops.publication_in_effect as shown
inner join ops.builds as shown_build on shown.build_id = shown_build.build_id
cross join lateral unnest(shown.marts) as mart (mart)
left join last_audited on true
left join failed on true
left join gaps on true
left join last_build on true
left join ops.hold_in_effect as hold on true
left join ops.waiting_build as waiting on true;

comment on column bi.data_status.data_as_of is 'Moment up to which the data are complete: the end of the last complete day, which it does not include.';
comment on column bi.data_status.data_complete_through is 'The last complete day, in the reporting time zone: figures up to and including it are complete.';
