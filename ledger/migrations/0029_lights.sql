-- The few cases that are yellow or red, or that a level above the community answers for: without an order of their own
-- a supervisor's list of them read through all that ever were.

create index case_row_lights on case_row (light, registered_at desc, id desc) where light <> 'green';
create index case_row_raised on case_row (registered_at desc, id desc) where level in ('street', 'district');
