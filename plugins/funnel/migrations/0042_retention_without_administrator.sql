-- Retention runs in a task, which has no administrator's password: the owners of what it removes do it.

grant insert on ops.retention to loader, publisher;
grant delete on ops.noted_values, ops.day_changes, ops.checks to loader;
grant update (body_hashes) on ops.loads to loader;
