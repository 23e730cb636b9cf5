-- Chinese search without an extension: what a case says, reduced to what a clerk would type, and its pairs of characters.
--
-- A table beside case_row and not an index on it: nearly every act writes the row of its case anew, its words hardly
-- ever change, and entering a hundred pairs with every act would cost more than the act's own writes.

-- What two people typing the same thing have in common: full-width and half-width, capital and small letters,
-- punctuation and blanks make no difference. Keeps to ASCII for small letters and to listed characters for
-- punctuation, so that no locale of a server changes what is found. domain.similarity.plain is its twin.
create function cjk_plain(words text) returns text
language sql immutable strict parallel safe
return pg_catalog.regexp_replace(
    pg_catalog.lower(normalize(words, nfkc) collate "C"),
    '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u2000-\u206f\u2190-\u2bff\u3000-\u3004\u3008-\u3020\u3030\ufe10-\ufe6f\ufffd]+',
    '',
    'g'
);

-- All letters and all pairs of neighbouring letters of words in that form; a blank parts what is not read in one go.
-- The letters by themselves are there for a search of one character.
create function cjk_grams(plain text) returns text[]
language sql immutable strict parallel safe cost 200
return (
    select coalesce(
        pg_catalog.array_agg(pair.a) filter (where pair.a <> ' ')
        || pg_catalog.array_agg(pair.a || pair.b) filter (where pair.a <> ' ' and pair.b <> ' '),
        '{}'::text[]
    )
    from (select pg_catalog.string_to_array(plain, null) as letters) found,
        lateral unnest(found.letters, found.letters[2:]) as pair (a, b)
);

create table case_text (
    id text collate "C" not null,
    registered_at timestamptz not null,
    plain text collate "C" not null,
    constraint case_text_pkey primary key (id)
);

create function case_text_keep() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    insert into case_text (id, registered_at, plain)
    values (
        new.id, new.registered_at, cjk_plain(coalesce(new.title, '')) || ' ' || cjk_plain(coalesce(new.text, ''))
    )
    on conflict (id) do update set registered_at = excluded.registered_at, plain = excluded.plain;
    return null;
end
$$;

create trigger case_text_new after insert on case_row
    for each row execute function case_text_keep();
create trigger case_text_changed after update on case_row
    for each row
    when (
        old.title is distinct from new.title
        or old.text is distinct from new.text
        or old.registered_at is distinct from new.registered_at
    )
    execute function case_text_keep();

-- By triggers and not by a foreign key: read models may be emptied as a whole, which a reference to them would forbid.
create function case_text_drop() returns trigger
language plpgsql
set search_path = public, pg_temp
as $$
begin
    if tg_op = 'TRUNCATE' then
        delete from case_text;
    else
        delete from case_text where id in (select id from gone);
    end if;
    return null;
end
$$;

create trigger case_text_gone after delete on case_row
    referencing old table as gone
    for each statement execute function case_text_drop();
create trigger case_text_emptied after truncate on case_row
    for each statement execute function case_text_drop();

insert into case_text (id, registered_at, plain)
select id, registered_at, cjk_plain(coalesce(title, '')) || ' ' || cjk_plain(coalesce(text, '')) from case_row;

create index case_text_grams on case_text using gin (cjk_grams(plain));
create index case_text_registered on case_text (registered_at desc, id desc);

-- The number another system knows a case by, without naming that system.
create index case_row_external_id on case_row (external_id) where external_id is not null;

-- Whoever registered a case reaches it wherever it lies.
create index case_row_opened_by on case_row (opened_by, registered_at desc, id desc);

-- The lists of the supervisor's desk: few of very many cases.
create index case_row_open on case_row (registered_at desc, id desc) where not finished;
create index case_row_light on case_row (light, coalesce(due_at, 'infinity'::timestamptz), id)
    where light <> 'green' and not finished;
create index case_row_supervised on case_row (finished, registered_at desc, id desc)
    where open_orders > 0 or level in ('street', 'district');
create index case_row_standing on case_row (registered_at desc, id desc) where suspended or shelved;

-- Whom the work of a case was given to by name, now or before.
create index task_person on task (person, stream) where person is not null;

revoke all on function case_text_keep() from public;
revoke all on function case_text_drop() from public;
grant select on case_text to bihuan_app;
