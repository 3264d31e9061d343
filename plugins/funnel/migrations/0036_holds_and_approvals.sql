-- A roll-back holds publication until it is released; a build may wait for approval; both are in bi.data_status.

create table ops.holds (
    hold_id bigint generated always as identity primary key,
    publication_id bigint not null references ops.publications (publication_id),
    held_by text not null,
    reason text not null,
    held_at timestamptz not null default clock_timestamp(),
    requested_as text unique,
    reminded_at timestamptz,
    released_by text,
    released_at timestamptz,
    check ((released_by is null) = (released_at is null))
);
comment on table ops.holds is 'One row per roll-back. While one is not released, nothing is published.';
comment on column ops.holds.publication_id is 'The publication that was rolled back.';
comment on column ops.holds.requested_as is 'The Airflow run that rolled back, so that its retry does not roll back once more; null for a command.';
comment on column ops.holds.reminded_at is 'When the last alert said that a build waits.';

create table ops.approvals (
    build_id bigint primary key references ops.builds (build_id),
    reasons text[] not null,
    asked_at timestamptz not null default clock_timestamp()
);
comment on table ops.approvals is 'One row per build whose change passed a limit of PUBLISH=approve, with each limit that it passed.';

alter table ops.publications add column published_by text;
comment on column ops.publications.published_by is 'The person who published it; null for a run of build_funnel.';

create view ops.hold_in_effect as
with open_holds as (
    select *
    from ops.holds
    where released_at is null
)

select
    min(held_at) as held_since,
    (
        select string_agg(held_by, ', ' order by first_id)
        from (select held_by, min(hold_id) as first_id from open_holds group by held_by) as persons
    ) as held_by,
    (
        select string_agg(reason, '; ' order by first_id)
        from (select reason, min(hold_id) as first_id from open_holds group by reason) as reasons
    ) as held_reason
from open_holds
having count(*) > 0;
comment on view ops.hold_in_effect is 'One row while publication is held: since the first roll-back that is not released, with every person and reason.';

create view ops.waiting_build as
select
    build.build_id,
    build.as_of,
    build.through_load_id,
    build.started_at,
    build.finished_at,
    approval.reasons as approval_reasons
from (select * from ops.builds order by build_id desc limit 1) as build
left join ops.approvals as approval on build.build_id = approval.build_id
where
    build.status in ('built', 'audit_failed')
    and exists (select 1 from ops.latest_checks as audit where audit.build_id = build.build_id)
    and not exists (
        select 1
        from ops.latest_checks as audit
        where audit.build_id = build.build_id and audit.severity = 'critical' and not audit.passed
    );
comment on view ops.waiting_build is 'One row if the newest build passed its audit and is not published.';

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
    last_build.reporting_currency,
    last_build.reporting_timezone,
    hold.held_since,
    hold.held_by,
    hold.held_reason,
    waiting.build_id as waiting_build,
    concat(
        'readers see publication ' || shown.publication_id || ' of '
        || to_char(shown.published_at at time zone last_build.reporting_timezone, 'FMDD Mon YYYY, HH24:MI'),
        '; held by ' || hold.held_by || ' since '
        || to_char(hold.held_since at time zone last_build.reporting_timezone, 'FMDD Mon YYYY, HH24:MI')
        || ' because: ' || hold.held_reason,
        case when hold.held_since is not null then '; build ' || waiting.build_id || ' is audited and waits' end,
        '; build ' || waiting.build_id || ' waits for approval because ' || array_to_string(waiting.approval_reasons, '; ')
    ) as readers_see
from ops.publication_in_effect as shown
cross join lateral unnest(shown.marts) as mart (mart)
left join last_audited on true
left join failed on true
left join gaps on true
left join last_build on true
left join ops.hold_in_effect as hold on true
left join ops.waiting_build as waiting on true;

comment on view bi.data_status is 'One row per mart: how fresh it is, which publication readers see, whether the last audit passed, which sources are late.';
comment on column bi.data_status.held_since is 'Since when publication is held after a roll-back; null if it is not held.';
comment on column bi.data_status.held_by is 'The persons who rolled back.';
comment on column bi.data_status.held_reason is 'The reasons that they gave.';
comment on column bi.data_status.waiting_build is 'The newest build, if it passed its audit and is not published.';
comment on column bi.data_status.readers_see is 'In words: the publication that readers see, who holds it and why, and which build waits.';

grant select on ops.holds, ops.approvals, ops.hold_in_effect, ops.waiting_build to loader, builder, publisher, bi_reader;
grant insert, update on ops.holds to publisher;
grant insert on ops.approvals to publisher;
