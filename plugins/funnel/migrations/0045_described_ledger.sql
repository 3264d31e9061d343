-- Every column that readers may read says what it is: those of `ops` and of bi.data_status here, those of the marts at
-- their publication (funnel.publication.contracts).

-- Columns of one name have one meaning, unless a table says otherwise below.
create function pg_temp.describe(relation regclass, column_name text, description text) returns void language plpgsql as $$
begin
    execute format('comment on column %s.%I is %L', relation, column_name, description);
end
$$;

with meanings (column_name, description) as (
    values
    ('source', 'Name of the source, such as google_ads.'),
    ('connection_id', 'Connection under which the source is read; a source may have several.'),
    ('stream', 'Kind of record, such as campaign_stats.'),
    ('account', 'The vendor''s account, as rows of the stream name it.'),
    ('load_id', 'The load, see ops.loads.'),
    ('build_id', 'The build, see ops.builds.'),
    ('publication_id', 'The publication, see ops.publications.'),
    ('as_of', 'End of the last day that is complete in every source that was not late.'),
    ('through_load_id', 'The newest load that it contains.'),
    ('run_id', 'The Airflow run, or the command.'),
    ('code_version', 'Commit of the code that ran.'),
    ('reporting_currency', 'Currency of its amounts.'),
    ('reporting_timezone', 'Time zone of its days.'),
    ('master_crm', 'The CRM whose copy of a deal counts where two CRMs have one.'),
    ('sources_configured', 'Sources with a connection when it began.'),
    ('sources_late', 'Sources that had not delivered their last day.'),
    ('started_at', 'When it began.'),
    ('finished_at', 'When it ended; null while it runs.'),
    ('fetched_at', 'When the vendor was read.'),
    ('published_at', 'When readers began to see it.'),
    ('reverted_at', 'When it was rolled back; null if it was not.'),
    ('audited_at', 'When its build passed its audit.'),
    ('previous_id', 'The publication in effect before it.'),
    ('marts', 'The tables that it brought up to date.'),
    ('rows_changed', 'For each mart, how many rows were shown and withdrawn.'),
    ('reason', 'Why, in words.'),
    ('reasons', 'Why, one sentence each.'),
    ('bytes', 'Size as read, in bytes.'),
    ('rows_read', 'Rows that were received.'),
    ('rows_loaded', 'Rows that were read and understood.'),
    ('rows_quarantined', 'Rows that could not be read; ops.quarantine has the reasons.'),
    ('rows_retracted', 'Stored rows that the vendor no longer has.'),
    ('rows_superseded', 'Rows that are not stored because a newer read of their record is.'),
    ('rows_duplicated', 'Rows that are not stored because a later page holds the same record.'),
    ('first_day', 'First day that it covers.'),
    ('last_day', 'Last day that it covers.'),
    ('date_day', 'The day.'),
    ('check_id', 'Number of the check.'),
    ('suite', 'Suite of expectations, such as marts/fct_leads.'),
    ('table_name', 'Table that was checked.'),
    ('column_name', 'Column concerned; null if it is the whole row or table.'),
    ('expectation', 'What was expected, in words.'),
    ('severity', 'critical stops data, warning reports.'),
    ('passed', 'True if the expectation was met.'),
    ('observed', 'What was observed.'),
    ('unexpected_count', 'Number of rows that violate the expectation.'),
    ('sample_keys', 'Hashed keys of some of these rows.'),
    ('checked_at', 'When it was checked.'),
    ('held_since', 'Since when publication is held; null if it is not.'),
    ('held_by', 'Who rolled back.'),
    ('held_reason', 'Why.'),
    ('landing', 'Folder of the landed files.'),
    ('time_zone', 'Time zone of the days.')
),

-- The same for columns of one table or view.
specific (relation, column_name, description) as (
    values
    ('ops.account_reads', 'asked_at', 'When a read last asked for the account.'),
    ('ops.account_reads', 'read_at', 'When the account was last read; null if never.'),
    ('ops.account_reads', 'refused_at', 'When the vendor last refused the account; null if never.'),
    ('ops.account_reads', 'reason', 'Why the vendor refused it.'),
    ('ops.accounts', 'status', 'What the newest read did with the account: read, refused, or not asked for.'),
    ('ops.accounts', 'last_read_at', 'When the account was last read; null if never.'),
    ('ops.accounts', 'reason', 'Why the vendor refused it; null if it did not.'),
    ('ops.approvals', 'reasons', 'Each limit that the change passed.'),
    ('ops.approvals', 'asked_at', 'When approval was first asked for.'),
    ('ops.build_changes', 'previous_build_id', 'The build of the publication before.'),
    ('ops.build_changes', 'value_now', 'Value in this build; a hash for code and seeds.'),
    ('ops.builds', 'is_full', 'True if all of raw was read, not only what was loaded since the last publication.'),
    ('ops.builds', 'since_load_id', 'Loads after this one were read; of a full build all were.'),
    ('ops.builds', 'status', 'building, built, failed, audit_failed or published.'),
    ('ops.builds', 'failure', 'Message of the failure; null without one.'),
    ('ops.builds', 'project_fingerprint', 'Hash of everything that gives rows their meaning.'),
    ('ops.checks', 'source', 'Source of the delivery that was checked; null for an audit.'),
    ('ops.day_changes', 'rows_before', 'Rows of the day before this read.'),
    ('ops.day_changes', 'rows_after', 'Rows of the day after this read.'),
    ('ops.files', 'path', 'Path of the file in its inbox.'),
    ('ops.files', 'modified_at', 'When the file was last changed.'),
    ('ops.files', 'reason', 'Why the file was refused; null if it was not.'),
    ('ops.files', 'reasons', 'The first rows that could not be read, with line, column and rule.'),
    ('ops.files', 'settings', 'How the file was read: encoding, delimiter, formats, stated or found out.'),
    ('ops.files', 'unmapped', 'Columns of the file that the manifest does not map.'),
    ('ops.files', 'replaced_to', 'Last day of a complete export that replaces its days.'),
    ('ops.forgettings', 'forgetting_id', 'Number of the run.'),
    ('ops.forgettings', 'lines_given', 'Number of addresses and vendor ids that were given.'),
    ('ops.forgettings', 'persons_found', 'Number of persons that they belong to.'),
    ('ops.forgettings', 'receipt', 'How many rows and files changed in each place.'),
    ('ops.held_back', 'held_back_at', 'When it was held back.'),
    ('ops.holds', 'hold_id', 'Number of the hold.'),
    ('ops.holds', 'held_at', 'When publication was held.'),
    ('ops.holds', 'released_by', 'Who released publication; null while it is held.'),
    ('ops.holds', 'released_at', 'When publication was released; null while it is held.'),
    ('ops.installation', 'only_row', 'Always true: the table has one row.'),
    ('ops.installation', 'person_key_fingerprint', 'Fingerprint of the key that person keys are made with.'),
    ('ops.installation', 'created_at', 'When the warehouse first used a key.'),
    ('ops.listings', 'taken_at', 'When the vendor was asked for its ids.'),
    ('ops.listings', 'ids_listed', 'Number of ids in the listing.'),
    ('ops.listings', 'rows_compared', 'Number of stored records that were compared.'),
    ('ops.listings', 'loaded_at', 'When the comparison was stored.'),
    ('ops.loads', 'window_from', 'First day that was read.'),
    ('ops.loads', 'window_to', 'Day after the last day that was read.'),
    ('ops.loads', 'new_fields', 'Fields that no stream declares; they are kept in one column.'),
    ('ops.noted_values', 'what', 'What was done with the values.'),
    ('ops.noted_values', 'values_found', 'Number of these values.'),
    ('ops.noted_values', 'column_name', 'Column of raw.'),
    ('ops.quarantine', 'quarantine_id', 'Number of the row in quarantine.'),
    ('ops.quarantine', 'hashed_key', 'Hash of the record''s key.'),
    ('ops.quarantine', 'hashed_payload', 'Hash of the row as it was received.'),
    ('ops.quarantine', 'column_name', 'Column that could not be read.'),
    ('ops.quarantine', 'reason', 'The rule that the row violates.'),
    ('ops.quarantine', 'first_seen_at', 'When the row was first received.'),
    ('ops.releases', 'release_id', 'Number of the row.'),
    ('ops.releases', 'release', 'The release.'),
    ('ops.releases', 'migrated_at', 'When it migrated this warehouse.'),
    ('ops.removals', 'removal_id', 'Number of the removal.'),
    ('ops.removals', 'rows_removed', 'Rows that left raw.'),
    ('ops.removals', 'removed_at', 'When they left.'),
    ('ops.restatement', 'measure', 'Number of the stream that was compared, or rows.'),
    ('ops.restatement', 'age_days', 'Whole days since the day ended, when it was read.'),
    ('ops.restatement', 'days_read', 'How many days of this age were read again.'),
    ('ops.restatement', 'days_moved', 'How many of them had changed.'),
    ('ops.restatement', 'share_moved', 'days_moved ÷ days_read.'),
    ('ops.restatement', 'largest_relative_change', 'The largest change of one day, as a share of its value.'),
    ('ops.restatement', 'last_read_at', 'When a day of this age was last read.'),
    ('ops.retention', 'kind', 'Kind of data.'),
    ('ops.retention', 'removed_at', 'When it was removed.'),
    ('ops.retention', 'keep_days', 'For how many days the setting keeps this kind.'),
    ('ops.retention', 'rows_removed', 'Number of rows that were removed.'),
    ('ops.retention', 'files_removed', 'Number of files that were removed.'),
    ('ops.retention', 'bytes_removed', 'Their size in bytes.'),
    ('ops.retention', 'oldest_kept', 'The oldest that is left.'),
    ('ops.sources', 'owner', 'Who is responsible for the connection.'),
    ('ops.sources', 'time_zone', 'Time zone of the vendor''s days.'),
    ('ops.sources', 'last_day_complete', 'Last day that is completely loaded.'),
    ('ops.sources', 'updated_at', 'When this row was last brought up to date.'),
    ('ops.waiting_build', 'approval_reasons', 'Limits of PUBLISH=approve that its change passes; null if it needs no approval.'),
    ('bi.data_status', 'mart', 'Table of bi.'),
    ('bi.data_status', 'data_as_of', 'Moment up to which the data are complete: the end of the last complete day, which it does not include.'),
    ('bi.data_status', 'published_at', 'When readers began to see these figures.'),
    ('bi.data_status', 'publication_id', 'The publication in effect, see ops.publications.'),
    ('bi.data_status', 'last_audit_at', 'When the newest build was audited.'),
    ('bi.data_status', 'last_audit_passed', 'True if the newest audit passed. If false, readers still see the publication before it.'),
    ('bi.data_status', 'failed_checks', 'The critical checks that failed in the newest audit.'),
    ('bi.data_status', 'incomplete_days', 'Source and day of each day that no load covers.'),
    ('bi.data_status', 'sources_late', 'Sources that had not delivered their last day when the newest build began.'),
    ('bi.data_status', 'reporting_currency', 'Currency of all amounts.'),
    ('bi.data_status', 'reporting_timezone', 'Time zone of all days, except those that a vendor adds up in its own.')
),

undescribed as (
    select
        format('%I.%I', namespace.nspname, class.relname) as relation,
        attribute.attrelid,
        attribute.attname
    from pg_attribute as attribute
    inner join pg_class as class on attribute.attrelid = class.oid
    inner join pg_namespace as namespace on class.relnamespace = namespace.oid
    where
        (namespace.nspname = 'ops' or (namespace.nspname = 'bi' and class.relname = 'data_status'))
        and class.relkind in ('r', 'v')
        and attribute.attnum > 0
        and not attribute.attisdropped
        and col_description(attribute.attrelid, attribute.attnum) is null
)

select pg_temp.describe(undescribed.attrelid::regclass, undescribed.attname, coalesce(specific.description, meanings.description))
from undescribed
left join specific on undescribed.relation = specific.relation and undescribed.attname = specific.column_name
left join meanings on undescribed.attname = meanings.column_name
where coalesce(specific.description, meanings.description) is not null;

drop function pg_temp.describe(regclass, text, text);

comment on view ops.publication_in_effect is 'One row: the publication that readers see.';
