-- The log. Facts are written once, by ledger_append, and never changed: not by the application, not by the owner.
-- Identifiers compare bytewise (collate "C") so that every server orders streams alike.

create function ledger_refuse_change() returns trigger
language plpgsql
as $$
begin
    raise exception using
        errcode = 'BH009',
        message = format('table %s is append-only: %s refused', tg_table_name, lower(tg_op)),
        hint = 'correct a fact by appending another one';
end
$$;

create table event (
    stream text collate "C" not null,
    seq integer not null,
    id uuid not null,
    kind text collate "C" not null,
    at timestamptz not null,
    actor text collate "C" not null,
    command_id uuid not null,
    body jsonb not null,
    prev text collate "C" not null,
    hash text collate "C" not null,
    -- Where the row stands in the feed. It belongs to this server, is no part of the fact and is not hashed.
    tx xid8 not null default pg_current_xact_id(),
    constraint event_pkey primary key (stream, seq),
    constraint event_id_key unique (id),
    constraint event_seq_positive check (seq > 0),
    constraint event_body_object check (jsonb_typeof(body) = 'object'),
    -- The hashed text joins its parts by line ends, so no part may contain one.
    constraint event_one_line check (
        stream <> '' and stream !~ '[\x01-\x1f]' and kind !~ '[\x01-\x1f]' and actor !~ '[\x01-\x1f]'
    )
);

create index event_feed on event (tx, stream, seq);
create index event_command on event (command_id);
create index event_at on event (stream, at);

create table command (
    id uuid not null,
    stream text collate "C" not null,
    process text collate "C" not null,
    digest text collate "C" not null,
    seq_from integer not null,
    seq_to integer not null,
    at timestamptz not null,
    constraint command_pkey primary key (id),
    -- A command that changed nothing is recorded too: its range is empty (seq_to = seq_from - 1).
    constraint command_range check (seq_from > 0 and seq_to >= seq_from - 1)
);

create index command_stream on command (stream, seq_from);

create trigger event_no_change before update or delete on event
    for each row execute function ledger_refuse_change();
create trigger event_no_truncate before truncate on event
    for each statement execute function ledger_refuse_change();
create trigger command_no_change before update or delete on command
    for each row execute function ledger_refuse_change();
create trigger command_no_truncate before truncate on command
    for each statement execute function ledger_refuse_change();

-- Also in sessions that switch ordinary triggers off (session_replication_role = replica).
alter table event enable always trigger event_no_change;
alter table event enable always trigger event_no_truncate;
alter table command enable always trigger command_no_change;
alter table command enable always trigger command_no_truncate;
