-- An imported rule book moves deadlines, so the choice says by whom it was made, as that of a calendar does. Choices made
-- before this release, and the one a new ledger begins with, name nobody.

alter table rule_book_choice add column chosen_by text collate "C";
