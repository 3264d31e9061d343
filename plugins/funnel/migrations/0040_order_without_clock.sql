-- What came later is decided by numbers, not by moments: a clock that is set back must not hide a removal, a roll-back
-- or an audit.

create function ops.newest_build_id() returns bigint
language sql stable as 'select coalesce(max(build_id), 0) from ops.builds';
comment on function ops.newest_build_id is 'The newest build that has begun; 0 before the first.';
revoke execute on function ops.newest_build_id from public;
grant execute on function ops.newest_build_id to loader, builder, publisher;

alter table ops.removals add column after_build_id bigint;
update ops.removals
set after_build_id = coalesce((select max(build_id) from ops.builds where started_at < removed_at), 0);
alter table ops.removals alter column after_build_id set default ops.newest_build_id();
alter table ops.removals alter column after_build_id set not null;
create index on ops.removals (after_build_id);
comment on column ops.removals.after_build_id is 'The newest build that had begun when the rows were removed: it may have read them.';

alter table ops.publications add column reverted_after_build_id bigint;
update ops.publications
set reverted_after_build_id = coalesce((select max(build_id) from ops.builds where started_at < reverted_at), 0)
where reverted_at is not null;
comment on column ops.publications.reverted_after_build_id is 'The newest build that had begun when the publication was rolled back; null if it was not.';

create or replace view ops.latest_checks as
select audit.*
from ops.checks as audit
inner join (
    select distinct on (build_id)
        build_id,
        checked_at
    from ops.checks
    where build_id is not null
    order by build_id, check_id desc
) as latest
    on audit.build_id = latest.build_id and audit.checked_at = latest.checked_at;
