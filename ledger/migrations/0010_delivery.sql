-- How notices reach people. This is operational state, not a fold of the log: a rebuild deletes and writes anew the rows
-- of notice, finds their routing here, and so sends nothing again. For the same reason nothing here refers to notice by
-- a foreign key.

alter table person add column email text;

-- What the courier has still to look at. Written by the very statement that writes the notice, so a notice and its
-- entry here become visible together, in whatever order transactions commit: the courier needs neither a horizon nor
-- a place up to which it has read.
create table routing (
    notice uuid not null,
    created_at timestamptz not null default now(),
    routed_at timestamptz,
    constraint routing_pkey primary key (notice)
);

create index routing_open on routing (created_at, notice) where routed_at is null;

-- One row for each notice, channel and receiver: the code of a person, or the number of an address of the settings.
-- next_at is when to try (again); while an attempt is under way it is the moment from which others may take over.
create table delivery (
    notice uuid not null,
    channel text collate "C" not null,
    receiver text collate "C" not null,
    state text collate "C" not null,
    attempts integer not null default 0,
    created_at timestamptz not null default now(),
    next_at timestamptz,
    delivered_at timestamptz,
    seen_at timestamptz,
    last_error text,
    constraint delivery_pkey primary key (notice, channel, receiver),
    constraint delivery_state check (state in ('waiting', 'delivered', 'failed')),
    constraint delivery_waits check ((state = 'waiting') = (next_at is not null)),
    constraint delivery_arrived check ((state = 'delivered') = (delivered_at is not null))
);

create index delivery_due on delivery (channel, next_at) where state = 'waiting';
create index delivery_failed on delivery (created_at) where state = 'failed';
create index delivery_inbox on delivery (receiver, notice) where channel = 'inbox';

create function notice_routing() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    insert into routing (notice) select id from fresh on conflict do nothing;
    if found then
        perform pg_notify('notice', '');
    end if;
    return null;
end
$$;

create trigger notice_routing after insert on notice
    referencing new table as fresh
    for each statement execute function notice_routing();

insert into routing (notice) select id from notice;

revoke all on function notice_routing() from public;
grant insert, delete on delivery to bihuan_app;
grant update (state, attempts, next_at, delivered_at, seen_at, last_error) on delivery to bihuan_app;
grant update (routed_at) on routing to bihuan_app;
