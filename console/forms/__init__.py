"""Acts as forms: what each kind of command asks for, how it is shown, and how a sent form is read."""
