-- Which releases have migrated this warehouse; an upgrade compares the newest with the checkout.

create table ops.releases (
    release_id bigint generated always as identity primary key,
    release text not null,
    code_version text not null,
    migrated_at timestamptz not null default clock_timestamp()
);

comment on table ops.releases is 'One row per release that has migrated this warehouse, in their order.';
grant select on ops.releases to loader, builder, publisher;
