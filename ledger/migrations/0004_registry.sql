-- Who and what there is. Every load writes its whole content under a new revision and changes no older row, so an
-- act can always be read with the registry of its day. valid_from and valid_to (both inclusive) are dates of the
-- trade; the revision says when we were told.

create table registry_revision (
    number integer not null,
    loaded_at timestamptz not null,
    loaded_by text not null,
    digest text collate "C" not null,
    constraint registry_revision_pkey primary key (number),
    constraint registry_revision_positive check (number > 0)
);

create table organisation (
    revision integer not null references registry_revision,
    code text collate "C" not null,
    name text not null,
    kind text collate "C" not null,
    parent text collate "C",
    queue text collate "C",
    pick_up_within text,
    valid_from date not null,
    valid_to date,
    constraint organisation_pkey primary key (revision, code, valid_from),
    constraint organisation_kind check (kind in ('district', 'street', 'community', 'department', 'partner')),
    constraint organisation_validity check (valid_to >= valid_from)
);

create table grid (
    revision integer not null references registry_revision,
    code text collate "C" not null,
    name text not null,
    community text collate "C" not null,
    households integer,
    people integer,
    override_reason text,
    valid_from date not null,
    valid_to date,
    constraint grid_pkey primary key (revision, code, valid_from),
    constraint grid_validity check (valid_to >= valid_from)
);

create table category (
    revision integer not null references registry_revision,
    code text collate "C" not null,
    name text not null,
    parent text collate "C",
    on_the_spot boolean not null,
    urgency text collate "C",
    valid_from date not null,
    valid_to date,
    constraint category_pkey primary key (revision, code, valid_from),
    constraint category_validity check (valid_to >= valid_from)
);

create table person (
    revision integer not null references registry_revision,
    id text collate "C" not null,
    name text not null,
    valid_from date not null,
    valid_to date,
    constraint person_pkey primary key (revision, id, valid_from),
    constraint person_validity check (valid_to >= valid_from)
);

create table assignment (
    revision integer not null references registry_revision,
    person text collate "C" not null,
    role text collate "C" not null,
    organisation text collate "C",
    grid text collate "C",
    valid_from date not null,
    valid_to date,
    constraint assignment_validity check (valid_to >= valid_from)
);

create index assignment_person on assignment (revision, person);

-- Rule books are immutable; which one new cases pin is the last choice made.
create table rule_book (
    version text collate "C" not null,
    body jsonb not null,
    digest text collate "C" not null,
    adopted_at timestamptz not null default now(),
    constraint rule_book_pkey primary key (version)
);

create table rule_book_choice (
    number integer generated always as identity,
    version text collate "C" not null references rule_book,
    chosen_at timestamptz not null default now(),
    constraint rule_book_choice_pkey primary key (number)
);

do $$
declare
    v_table text;
begin
    foreach v_table in array array[
        'registry_revision', 'organisation', 'grid', 'category', 'person', 'assignment', 'rule_book', 'rule_book_choice'
    ] loop
        execute format(
            'create trigger %1$s_no_change before update or delete on %1$I
                for each row execute function ledger_refuse_change()', v_table);
        execute format(
            'create trigger %1$s_no_truncate before truncate on %1$I
                for each statement execute function ledger_refuse_change()', v_table);
    end loop;
end
$$;
