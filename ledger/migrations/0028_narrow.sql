-- By itself, after the sums, so that nobody waits for both: a second or two for each index of a million rows, in which
-- acts wait and pages do not.

-- What a page about one street, community or department reads instead of the whole city, and the cases behind it.
create index case_figure_street on case_figure (street, registered_at desc, id desc);
create index case_figure_community on case_figure (community, registered_at desc, id desc);
create index case_figure_lead on case_figure (lead, registered_at desc, id desc);
create index case_figure_departments on case_figure using gin (departments);

-- The most urgent first, of one street.
create index case_row_street_due on case_row (street, (coalesce(due_at, 'infinity'::timestamptz)), id);
