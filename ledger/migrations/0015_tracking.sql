-- How residents find their own request. code and phone are keyed hashes: without the key of the vault nothing in here
-- can be told or tried out. number counts the codes of a request, the last one is in force. Whoever destroys the key of
-- a stream in the vault takes the tracking with it.

create table tracking (
    stream text collate "C" not null,
    number integer not null default 1,
    code bytea not null,
    phone bytea,
    issued_at timestamptz not null,
    issued_by text collate "C" not null,
    constraint tracking_pkey primary key (stream),
    constraint tracking_code unique (code),
    constraint tracking_stream foreign key (stream) references vault_key (stream) on delete cascade,
    constraint tracking_number check (number >= 1),
    constraint tracking_code_length check (octet_length(code) = 32),
    constraint tracking_phone_length check (octet_length(phone) = 32)
);

grant insert on tracking to bihuan_app;
grant update (number, code, issued_at, issued_by) on tracking to bihuan_app;
