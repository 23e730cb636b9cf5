"""The page of one case: what is read for it, and the words it is told in."""
