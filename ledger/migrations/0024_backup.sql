-- Which line of numbers the places of the feed belong to. A place counts by transactions of one server; a restored copy
-- gives its events new numbers and begins another line, so that a place of the line before is refused and never read as
-- a place of this one. The first line has no name: its places are the ones given out before there were lines.
create table feed_line (
    only_one boolean not null default true,
    name text collate "C" not null,
    begun_at timestamptz not null default now(),
    constraint feed_line_pkey primary key (only_one),
    constraint feed_line_one check (only_one),
    constraint feed_line_name check (name ~ '^([0-9a-f]{8})?$')
);

insert into feed_line (name) values ('');
