-- bi.data_status: a live view over `ops`, never published, so that it also speaks while nothing can be published.

create view ops.publication_in_effect as
select *
from ops.publications
where reverted_at is null
order by publication_id desc
limit 1;

create view ops.incomplete_days as
select
    days.source,
    days.connection_id,
    days.stream,
    missing.date_day::date as date_day
from (
    select
        source,
        connection_id,
        stream,
        min(date_day) as first_day,
        max(date_day) as last_day
    from ops.loaded_days
    group by source, connection_id, stream
) as days
cross join lateral generate_series(days.first_day, days.last_day, interval '1 day') as missing (date_day)
where not exists (
    select 1
    from ops.loaded_days as loaded
    where
        loaded.source = days.source
        and loaded.connection_id = days.connection_id
        and loaded.stream = days.stream
        and loaded.date_day = missing.date_day::date
);
comment on view ops.incomplete_days is 'Days between the first and the last loaded day of a dated stream that no load covers.';

create view ops.latest_checks as
select audit.*
from ops.checks as audit
inner join (
    select
        build_id,
        max(checked_at) as checked_at
    from ops.checks
    where build_id is not null
    group by build_id
) as latest
    on audit.build_id = latest.build_id and audit.checked_at = latest.checked_at;
comment on view ops.latest_checks is 'The audit of each build that counts: the latest. All checks of one audit share their moment.';

create view bi.data_status as
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
    last_build.reporting_currency,
    last_build.reporting_timezone
from ops.publication_in_effect as shown
cross join lateral unnest(shown.marts) as mart (mart)
left join last_audited on true
left join failed on true
left join gaps on true
left join last_build on true;

comment on view bi.data_status is 'One row per mart: how fresh it is, whether the last audit passed, which sources are late.';
alter view bi.data_status owner to publisher;
grant select on bi.data_status to bi_reader, builder;
grant select on ops.publication_in_effect, ops.incomplete_days, ops.latest_checks to loader, builder, publisher, bi_reader;
