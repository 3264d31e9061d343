-- The last complete day, as people read it; data_as_of is the moment at which that day ended. It is added to the view as
-- it is, since an installation may have later columns of it already.

do $$
begin
    execute format(
        $view$
        create or replace view bi.data_status as
        select
            status.*,
            (status.data_as_of at time zone status.reporting_timezone)::date - 1 as data_complete_through
        from (%s) as status
        $view$,
        rtrim(pg_get_viewdef('bi.data_status'::regclass), ';')
    );
end
$$;

comment on column bi.data_status.data_as_of is 'Moment up to which the data are complete: the end of the last complete day, which it does not include.';
comment on column bi.data_status.data_complete_through is 'The last complete day, in the reporting time zone: figures up to and including it are complete.';
