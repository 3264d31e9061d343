-- Which bytes a load read: its landed files can be compared with what was loaded of them.
alter table ops.loads add column body_hashes text[];
comment on column ops.loads.body_hashes is 'SHA-256 of each landed file as this load read it, in the order of its manifest. Null for files that were landed before hashes were noted.';
