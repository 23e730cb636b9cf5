-- The only place for names, phones, addresses and original wording, encrypted with a key per stream.

create table vault_key (
    stream text collate "C" not null,
    wrapped bytea not null,
    created_at timestamptz not null default now(),
    constraint vault_key_pkey primary key (stream)
);

create table vault_entry (
    stream text collate "C" not null,
    name text collate "C" not null,
    nonce bytea not null,
    ciphertext bytea not null,
    created_at timestamptz not null default now(),
    constraint vault_entry_pkey primary key (stream, name),
    constraint vault_entry_nonce check (octet_length(nonce) = 12)
);
