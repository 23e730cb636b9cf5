-- Checkpoints: signed statements of where the streams stood. They are also written outside the database, where whoever
-- can rewrite this one cannot reach them; the copy here says what has been stated already, and is what another copy
-- outside is made from. Nothing here is ever changed.

create table checkpoint (
    number integer not null,
    -- Canonical JSON of what is signed: number, moment, the checkpoint before, the Merkle root over the heads.
    header text collate "C" not null,
    signature text collate "C" not null,
    -- What this server had given out when the heads were read: the next checkpoint looks from here on. It belongs to this
    -- server, like event.tx, and is not signed.
    position xid8 not null,
    made_at timestamptz not null default now(),
    constraint checkpoint_pkey primary key (number),
    constraint checkpoint_number check (number > 0)
);

-- The heads a checkpoint states: those that have moved since the one before.
create table checkpoint_head (
    stream text collate "C" not null,
    seq integer not null,
    hash text collate "C" not null,
    checkpoint integer not null,
    constraint checkpoint_head_pkey primary key (stream, seq),
    constraint checkpoint_head_checkpoint foreign key (checkpoint) references checkpoint (number)
);

create index checkpoint_head_checkpoint on checkpoint_head (checkpoint, stream);

-- Up to which checkpoint somebody elsewhere has been told. Operational state: losing it tells them again.
create table checkpoint_sent (
    number integer not null,
    sent_at timestamptz not null default now(),
    constraint checkpoint_sent_pkey primary key (number)
);

create trigger checkpoint_no_change before update or delete on checkpoint
    for each row execute function ledger_refuse_change();
create trigger checkpoint_no_truncate before truncate on checkpoint
    for each statement execute function ledger_refuse_change();
create trigger checkpoint_head_no_change before update or delete on checkpoint_head
    for each row execute function ledger_refuse_change();
create trigger checkpoint_head_no_truncate before truncate on checkpoint_head
    for each statement execute function ledger_refuse_change();
alter table checkpoint enable always trigger checkpoint_no_change;
alter table checkpoint enable always trigger checkpoint_no_truncate;
alter table checkpoint_head enable always trigger checkpoint_head_no_change;
alter table checkpoint_head enable always trigger checkpoint_head_no_truncate;

grant insert on checkpoint, checkpoint_head, checkpoint_sent to bihuan_app;
