-- What a publication was shown with, so that its history can be read after a setting has changed, and why figures move.

alter table ops.builds add column rules jsonb not null default '{}';
comment on column ops.builds.rules is 'What gives rows their meaning: a hash of the code and of each seed, the value of each variable of the dbt project. Empty for builds of before this was recorded.';

create view ops.publication_settings as
select
    shown.publication_id,
    shown.build_id,
    build.reporting_currency,
    build.reporting_timezone,
    build.master_crm,
    (shown.as_of at time zone build.reporting_timezone)::date as known_on,
    (shown.as_of at time zone build.reporting_timezone)::date - 1 as last_day,
    shown.reverted_at
from ops.publications as shown
inner join ops.builds as build on shown.build_id = build.build_id;
comment on view ops.publication_settings is 'One row per publication with the settings that its rows were shown with, also those that are in bi_history now.';
comment on column ops.publication_settings.reporting_currency is 'Currency of its amounts.';
comment on column ops.publication_settings.reporting_timezone is 'Time zone of its days.';
comment on column ops.publication_settings.known_on is 'Day of as_of in that time zone.';
comment on column ops.publication_settings.last_day is 'Last complete day in that time zone.';

create view ops.build_changes as
with compared as (
    select
        build.build_id,
        build.reporting_currency,
        build.reporting_timezone,
        build.master_crm,
        build.rules,
        before.build_id as previous_build_id,
        before.reporting_currency as previous_currency,
        before.reporting_timezone as previous_timezone,
        before.master_crm as previous_crm,
        before.rules as previous_rules,
        build.project_fingerprint <> before.project_fingerprint as is_other_project,
        build.through_load_id = before.through_load_id as is_same_data
    from ops.builds as build
    left join ops.publications as shown on build.build_id = shown.build_id
    left join ops.publications as previous on shown.previous_id = previous.publication_id
    left join ops.publication_in_effect as in_effect on shown.publication_id is null
    inner join ops.builds as before on before.build_id = coalesce(previous.build_id, in_effect.build_id)
)

select
    build_id,
    previous_build_id,
    'REPORTING_CURRENCY' as subject,
    'currency rate' as reason,
    previous_currency as value_before,
    reporting_currency as value_now,
    is_same_data
from compared
where reporting_currency <> previous_currency

union all

select
    build_id,
    previous_build_id,
    'REPORTING_TIMEZONE' as subject,
    'rule' as reason,
    previous_timezone as value_before,
    reporting_timezone as value_now,
    is_same_data
from compared
where reporting_timezone <> previous_timezone

union all

select
    build_id,
    previous_build_id,
    'MASTER_CRM' as subject,
    'rule' as reason,
    previous_crm as value_before,
    master_crm as value_now,
    is_same_data
from compared
where master_crm <> previous_crm

union all

select
    compared.build_id,
    compared.previous_build_id,
    parts.subject,
    case
        when parts.subject = 'code' then 'code'
        when parts.subject = 'seeds/targets.csv' then 'target'
        else 'rule'
    end as reason,
    compared.previous_rules ->> parts.subject as value_before,
    compared.rules ->> parts.subject as value_now,
    is_same_data
from compared
cross join lateral jsonb_object_keys(compared.previous_rules || compared.rules) as parts (subject)
where
    compared.previous_rules <> '{}'
    and compared.rules <> '{}'
    and compared.previous_rules -> parts.subject is distinct from compared.rules -> parts.subject

union all

select
    build_id,
    previous_build_id,
    'code' as subject,
    'code' as reason,
    null as value_before,
    null as value_now,
    is_same_data
from compared
where is_other_project and (previous_rules = '{}' or rules = '{}');
comment on view ops.build_changes is 'One row per setting, variable, seed or code that differs between a build and the publication before it (for a build that is not published: the one in effect).';
comment on column ops.build_changes.subject is 'Name of the setting or variable, path of the seed, or code.';
comment on column ops.build_changes.reason is 'What rpt_restatement names as the reason: currency rate, rule, target or code.';
comment on column ops.build_changes.is_same_data is 'True if nothing was loaded between the two.';
comment on column ops.build_changes.value_before is 'Value in the publication before; a hash for code and seeds.';

grant select on ops.publication_settings, ops.build_changes to loader, builder, publisher, bi_reader;

-- Currency and time zone are those of what readers see, also while a build under other settings waits.
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
    ) as readers_see
from ops.publication_in_effect as shown
inner join ops.builds as shown_build on shown.build_id = shown_build.build_id
cross join lateral unnest(shown.marts) as mart (mart)
left join last_audited on true
left join failed on true
left join gaps on true
left join last_build on true
left join ops.hold_in_effect as hold on true
left join ops.waiting_build as waiting on true;
