-- Reserved for the work under way.
select 1;
