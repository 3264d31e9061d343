-- A source of an inbox can be withdrawn: its rows leave raw, and it is neither late nor configured any longer.

comment on column ops.files.status is 'loaded, refused, or withdrawn: its rows were taken out of raw, and the file is read again when it returns.';
grant delete on ops.sources to loader;
