-- Which columns a file fills: exports of one record with other columns complete each other.
alter table ops.files add column columns text[];
comment on column ops.files.columns is 'Columns of raw that the file fills. A file leaves the others as they are. Null before this was noted: all.';
comment on column ops.files.file_order is 'Place of the file among the files of its stream: of two that fill one column of a record the later one counts.';
grant update (columns) on ops.files to loader;
