"""The pages for people, one module per family; templates lie in ``console/templates``."""
