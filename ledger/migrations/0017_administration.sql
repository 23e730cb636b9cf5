-- What administrators have under way at the console. Operational state, no part of the log.

-- A file that was uploaded and looked at, and waits to be confirmed. It is kept here and not in the browser, so that
-- what is confirmed is what was looked at, and so that the page may be closed in between.
create table draft (
    id uuid not null,
    kind text collate "C" not null,
    person text collate "C" not null,
    created_at timestamptz not null,
    options jsonb not null,
    files jsonb not null,
    constraint draft_pkey primary key (id),
    constraint draft_kind check (kind in ('registry', 'rules', 'calendar'))
);

create index draft_created on draft (created_at);

-- One carrying of rules or a calendar to open cases. told_at is when its console last said how far it is: a run that
-- has not ended and says nothing was broken off with its console, and may be started again.
create table adoption_run (
    id uuid not null,
    person text collate "C" not null,
    rules text collate "C",
    calendar text collate "C",
    reason text not null,
    started_at timestamptz not null,
    told_at timestamptz not null,
    ended_at timestamptz,
    stopped boolean not null default false,
    failed_with text collate "C",
    tally jsonb not null default '{}',
    constraint adoption_run_pkey primary key (id)
);

create index adoption_run_started on adoption_run (started_at desc);

grant insert, delete on draft to bihuan_app;
grant insert on adoption_run to bihuan_app;
grant update (told_at, ended_at, stopped, failed_with, tally) on adoption_run to bihuan_app;
