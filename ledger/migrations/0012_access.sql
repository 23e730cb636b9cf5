-- Who may sign in: accounts, sessions, tokens and throttled attempts. Operational state, no part of the log: a rebuild
-- leaves all of it alone. Secrets are kept as hashes only; neither addresses of machines nor names that were typed and
-- do not exist are kept.

-- A person of the registry has at most one account. The first administrator need not stand in the registry, so nothing
-- here refers to it by a foreign key.
create table account (
    login text collate "C" not null,
    person text collate "C" not null,
    password_hash text collate "C",
    password_set_at timestamptz,
    must_change boolean not null default true,
    is_administrator boolean not null default false,
    disabled_at timestamptz,
    created_at timestamptz not null,
    created_by text collate "C" not null,
    changed_at timestamptz not null,
    changed_by text collate "C" not null,
    constraint account_pkey primary key (login),
    constraint account_person unique (person),
    constraint account_password check ((password_hash is null) = (password_set_at is null))
);

-- Earlier passwords, for the profile that forbids to use them again.
create table account_password (
    login text collate "C" not null references account (login) on delete cascade,
    set_at timestamptz not null,
    password_hash text collate "C" not null,
    constraint account_password_pkey primary key (login, set_at)
);

-- digest is the SHA-256 of the token, which only the browser knows; device is what the person recognises it by.
create table session (
    id uuid not null,
    digest bytea not null,
    login text collate "C" not null references account (login) on delete cascade,
    created_at timestamptz not null,
    seen_at timestamptz not null,
    ends_at timestamptz not null,
    device text not null,
    without_password boolean not null default false,
    constraint session_pkey primary key (id),
    constraint session_digest unique (digest)
);

create index session_login on session (login, created_at desc);
create index session_ends on session (ends_at);

create table api_token (
    id uuid not null,
    digest bytea not null,
    login text collate "C" not null references account (login) on delete cascade,
    name text not null,
    permissions text[] collate "C" not null,
    created_at timestamptz not null,
    ends_at timestamptz not null,
    revoked_at timestamptz,
    last_used_at timestamptz,
    constraint api_token_pkey primary key (id),
    constraint api_token_digest unique (digest)
);

create index api_token_login on api_token (login, created_at desc);

-- One row for each login name, each group of machines and each pair of the two, known by the digest of its name only.
-- good_at is when a pair last got in: who has been here before is not kept out by what strangers try elsewhere.
create table sign_in_attempt (
    digest bytea not null,
    failures integer not null default 0,
    last_at timestamptz not null,
    good_at timestamptz,
    constraint sign_in_attempt_pkey primary key (digest)
);

create index sign_in_attempt_last on sign_in_attempt (last_at);

-- What happened to accounts. Nobody at the doors may change or remove a line.
create table access_record (
    id bigint generated always as identity,
    at timestamptz not null,
    kind text collate "C" not null,
    login text collate "C",
    by_person text collate "C",
    note text,
    constraint access_record_pkey primary key (id)
);

create index access_record_login on access_record (login, id desc);

grant insert on account, account_password, session, api_token, sign_in_attempt, access_record to bihuan_app;
grant update (password_hash, password_set_at, must_change, is_administrator, disabled_at, changed_at, changed_by)
    on account to bihuan_app;
grant update (seen_at) on session to bihuan_app;
grant update (revoked_at, last_used_at) on api_token to bihuan_app;
grant update (failures, last_at, good_at) on sign_in_attempt to bihuan_app;
grant delete on account_password, session, sign_in_attempt to bihuan_app;
