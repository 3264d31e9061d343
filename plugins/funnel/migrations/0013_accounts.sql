-- A read replaces the days of the ad accounts, properties or customers that it read, and of no other.

alter table ops.loaded_days add column account text not null default '';
alter table ops.loaded_days drop constraint loaded_days_pkey;
alter table ops.loaded_days add primary key (source, connection_id, stream, date_day, account);
comment on table ops.loaded_days is 'One row per day and account of a stream: the newest read that covers it.';
comment on column ops.loaded_days.account is 'The account that was read, as the rows of the stream name it. Empty: all that the connection holds; of streams without accounts, and of reads that were loaded before accounts were told apart.';

alter table ops.loads add column accounts text[], add column refused jsonb not null default '{}';
comment on column ops.loads.accounts is 'The accounts that were read. Null: the read does not say.';
comment on column ops.loads.refused is 'The accounts that the vendor refused while others were read, {"account": "reason"}. Their days stay.';

create table ops.account_reads (
    source text not null,
    connection_id text not null,
    stream text not null,
    account text not null,
    asked_at timestamptz not null,
    read_at timestamptz,
    refused_at timestamptz,
    reason text,
    first_day date,
    last_day date,
    primary key (source, connection_id, stream, account)
);
comment on table ops.account_reads is 'One row per stream and account of a connection: when it was asked for, read and refused last.';
comment on column ops.account_reads.first_day is 'The first day that was read of it; null for streams without days.';
comment on column ops.account_reads.last_day is 'The last day that was read of it; null for streams without days.';

create view ops.accounts as
select
    source,
    connection_id,
    account,
    case
        when bool_or(status = 'refused') then 'refused'
        when bool_and(status = 'no longer asked') then 'no longer asked'
        else 'read'
    end as status,
    max(read_at) as last_read_at,
    max(last_day) as last_day,
    min(first_day) as first_day,
    (array_agg(reason order by refused_at desc) filter (where status = 'refused'))[1] as reason
from (
    select
        *,
        case
            when asked_at < max(asked_at) over (partition by source, connection_id, stream) then 'no longer asked'
            when refused_at = asked_at then 'refused'
            else 'read'
        end as status
    from ops.account_reads
) as reads
group by source, connection_id, account;
comment on view ops.accounts is 'One row per account of a connection: whether the newest read has read it, was refused, or did not ask for it any more, and up to which day it was read.';

grant select on ops.account_reads, ops.accounts to loader, builder, publisher, bi_reader;
grant insert, update on ops.account_reads to loader;

-- A warehouse that holds rows already knows its accounts by them. LinkedIn's statistics name no account: their campaigns do.
do $$
declare
    known record;
begin
    if to_regclass('raw.linkedin_ads__campaign_stats') is not null then
        alter table raw.linkedin_ads__campaign_stats add column if not exists account_id text;
        if to_regclass('raw.linkedin_ads__campaigns') is not null then
            update raw.linkedin_ads__campaign_stats as stats
            set account_id = (
                select campaigns.account_id
                from raw.linkedin_ads__campaigns as campaigns
                where campaigns.campaign_id = stats.campaign_id and campaigns._connection_id = stats._connection_id
                order by campaigns._fetched_at desc
                limit 1
            );
        end if;
    end if;
    for known in
        select *
        from (
            values
            ('google_ads', 'campaign_stats', 'customer_id', 'date'),
            ('meta_ads', 'insights', 'account_id', 'date_start'),
            ('linkedin_ads', 'campaign_stats', 'account_id', 'date'),
            ('microsoft_ads', 'campaign_stats', 'account_id', 'date'),
            ('ga4', 'sessions', 'property_id', 'date')
        ) as streams (source, stream, account_column, day_column)
        where to_regclass('raw.' || source || '__' || stream) is not null
    loop
        execute format(
            'insert into ops.account_reads (source, connection_id, stream, account, asked_at, read_at, first_day, last_day)
            select
                %L, _connection_id, %L, %I, max(max(_fetched_at)) over (partition by _connection_id), max(_fetched_at),
                min(%I), max(%I)
            from raw.%I where %I is not null group by _connection_id, %I',
            known.source, known.stream, known.account_column, known.day_column, known.day_column,
            known.source || '__' || known.stream, known.account_column, known.account_column
        );
    end loop;
end
$$;
