-- Photographs and documents: what is known of each file, who uploaded it, which streams it belongs to. The content lies
-- outside the database under its digest. An upload is its uploader's alone until an act that refers to it is recorded.

create table file (
    digest text collate "C" not null,
    thumb text collate "C" not null,
    media_type text collate "C" not null,
    bytes integer not null,
    width integer not null,
    height integer not null,
    created_at timestamptz not null default now(),
    constraint file_pkey primary key (digest),
    constraint file_digests check (digest ~ '^[0-9a-f]{64}$' and thumb ~ '^[0-9a-f]{64}$'),
    constraint file_sizes check (bytes > 0 and width > 0 and height > 0)
);

create index file_thumb on file (thumb);

create table file_upload (
    digest text collate "C" not null,
    person text collate "C" not null,
    uploaded_at timestamptz not null default now(),
    constraint file_upload_pkey primary key (digest, person),
    constraint file_upload_file foreign key (digest) references file
);

create index file_upload_at on file_upload (uploaded_at);

create table file_stream (
    stream text collate "C" not null,
    digest text collate "C" not null,
    uploaded_by text collate "C" not null,
    uploaded_at timestamptz not null,
    constraint file_stream_pkey primary key (stream, digest),
    constraint file_stream_file foreign key (digest) references file
);

create index file_stream_digest on file_stream (digest);

-- A file belongs to a stream as soon as a fact that refers to it is in the log, in the same transaction and whichever
-- door the act came through. Only what the actor has uploaded: a digest alone, read somewhere, opens no file.
create function file_belongs() returns trigger
language plpgsql security definer
set search_path = public, pg_temp
as $$
begin
    -- Lets a sweep of this very file end first, so that it is either still there or gone. Shared: acts do not wait for
    -- each other.
    perform pg_advisory_xact_lock_shared(hashtextextended(each #>> '{}', 14))
    from jsonb_path_query(new.body, '$.evidence[*].digest') each
    order by each;
    insert into file_stream (stream, digest, uploaded_by, uploaded_at)
    select distinct new.stream, u.digest, u.person, u.uploaded_at
    from jsonb_path_query(new.body, '$.evidence[*].digest') each
    join file_upload u on u.digest = each #>> '{}' and u.person = new.body #>> '{by,person}'
    on conflict do nothing;
    return null;
end
$$;

create trigger file_belongs after insert on event
    for each row
    when (new.body @? '$.evidence[*].digest')
    execute function file_belongs();

revoke all on function file_belongs() from public;
grant insert, delete on file to bihuan_app;
grant insert, delete on file_upload to bihuan_app;
grant update (uploaded_at) on file_upload to bihuan_app;
