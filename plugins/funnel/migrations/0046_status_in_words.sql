-- bi.data_status in words: one sentence for people beside the columns for programs.

do $$
begin
    execute format(
        $view$
        create or replace view bi.data_status as
        select
            status.*,
            concat(
                'Complete through '
                || to_char(status.data_as_of at time zone status.reporting_timezone - interval '1 microsecond', 'FMDD Mon YYYY'),
                '; published ' || to_char(status.published_at at time zone status.reporting_timezone, 'FMDD Mon YYYY, HH24:MI'),
                case
                    when status.last_audit_passed then '; all critical checks passed'
                    when cardinality(status.failed_checks) > 0
                        then '; critical checks of the newest build failed: ' || cardinality(status.failed_checks) || ', so that readers see the publication before it'
                    else '; the newest build has not been audited'
                end,
                case
                    when cardinality(status.sources_late) > 0 then '; late: ' || array_to_string(status.sources_late, ', ')
                end,
                case
                    when cardinality(status.incomplete_days) > 0
                        then '; ' || cardinality(status.incomplete_days) || ' days of sources were never loaded (incomplete_days)'
                end,
                '; publication is held by ' || status.held_by || ' because: ' || status.held_reason
            ) as in_words
        from (%s) as status
        $view$,
        rtrim(pg_get_viewdef('bi.data_status'::regclass), ';')
    );
end
$$;

comment on column bi.data_status.in_words is 'The line as a sentence: how far the data are complete, when they were published, whether checks passed, what is late, and who holds publication.';
