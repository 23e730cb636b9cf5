-- Privacy: which master key wrapped a key, who is found by which phone, who saw what was told, what was destroyed.

-- The id of the master key that wrapped a key; null for those wrapped before there were ids.
alter table vault_key add column master text collate "C";

-- The master key by which new keys must be wrapped, once a rotation has ended; empty before the first one. A key that was
-- wrapped by the one before is not taken: its writer sees that none was added, and reads its file again.
create table vault_master (
    one boolean not null default true,
    id text collate "C" not null,
    since timestamptz not null default now(),
    constraint vault_master_pkey primary key (one),
    constraint vault_master_one check (one)
);

create function vault_key_of_master() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if exists (select from vault_master m where m.id is distinct from new.master) then
        return null;
    end if;
    return new;
end
$$;

create trigger vault_key_of_master before insert on vault_key
    for each row execute function vault_key_of_master();
revoke all on function vault_key_of_master() from public;

-- By which numbers the reporter of a stream is found: keyed hashes, which tell nothing without the key. Destroying the
-- key of a stream takes them with it.
create table vault_phone (
    stream text collate "C" not null,
    hash bytea not null,
    constraint vault_phone_pkey primary key (stream, hash),
    constraint vault_phone_stream foreign key (stream) references vault_key (stream) on delete cascade,
    constraint vault_phone_length check (octet_length(hash) = 32)
);

create index vault_phone_hash on vault_phone (hash, stream);
grant insert on vault_phone to bihuan_app;

-- Who was shown what a resident told, and why. What it was is never here.
create table reveal (
    id uuid not null,
    at timestamptz not null default now(),
    person text collate "C" not null,
    role text collate "C" not null,
    door text collate "C" not null,
    stream text collate "C" not null,
    reason text collate "C" not null,
    words text not null,
    constraint reveal_pkey primary key (id),
    constraint reveal_door check (door in ('page', 'api', 'command')),
    constraint reveal_words check (char_length(words) <= 200)
);

create index reveal_at on reveal (at desc, (id::text) desc);
create index reveal_stream on reveal (stream, at desc);
create index reveal_person on reveal (person, at desc);
grant insert on reveal to bihuan_app;

-- What was destroyed, when, by whom and why. Nothing of it comes back.
create table erasure (
    stream text collate "C" not null,
    at timestamptz not null,
    person text collate "C" not null,
    reason text collate "C" not null,
    words text not null,
    files integer not null,
    constraint erasure_pkey primary key (stream),
    constraint erasure_words check (char_length(words) <= 200)
);

create index erasure_at on erasure (at desc, stream);

do $$
declare
    v_table text;
begin
    foreach v_table in array array['reveal', 'erasure'] loop
        execute format(
            'create trigger %1$s_no_change before update or delete on %1$I
                for each row execute function ledger_refuse_change()', v_table);
        execute format(
            'create trigger %1$s_no_truncate before truncate on %1$I
                for each statement execute function ledger_refuse_change()', v_table);
    end loop;
end
$$;

-- Destroys the key of a stream and all that hangs on it, lets go of its files, and records that it was done; false when it
-- had been done before. The doors may do it to what is finished and to nothing else; the log stays as it is.
create function vault_erase(
    p_stream text, p_at timestamptz, p_person text, p_reason text, p_words text
) returns boolean
language plpgsql volatile security definer
set search_path = public, pg_temp
as $$
declare
    v_files integer;
begin
    perform ledger_lock(p_stream);
    if not exists (select from case_row c where c.id = p_stream and c.finished)
        and not exists (select from wish w where w.id = p_stream and w.finished)
    then
        raise exception using
            errcode = 'BH024',
            message = format('%s is not finished', p_stream);
    end if;
    if exists (select from erasure e where e.stream = p_stream) then
        return false;
    end if;
    delete from vault_key k where k.stream = p_stream;
    delete from file_stream f where f.stream = p_stream;
    get diagnostics v_files = row_count;
    insert into erasure (stream, at, person, reason, words, files)
    values (p_stream, p_at, p_person, p_reason, p_words, v_files);
    delete from case_text t where t.id = p_stream;
    return true;
end
$$;

revoke all on function vault_erase(text, timestamptz, text, text, text) from public;
grant execute on function vault_erase(text, timestamptz, text, text, text) to bihuan_app;

-- What was erased is not found by its words any more, also when the read models are rebuilt.
create or replace function case_text_keep() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if exists (select from erasure e where e.stream = new.id) then
        return null;
    end if;
    insert into case_text (id, registered_at, plain)
    values (
        new.id, new.registered_at, cjk_plain(coalesce(new.title, '')) || ' ' || cjk_plain(coalesce(new.text, ''))
    )
    on conflict (id) do update set registered_at = excluded.registered_at, plain = excluded.plain;
    return null;
end
$$;

-- What is finished and still has its key, the longest finished first.
create index case_row_finished on case_row ((coalesce(archived_at, updated_at)), id) where finished;
create index wish_finished on wish (updated_at, id) where finished;
