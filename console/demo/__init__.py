"""The demo: an invented street, scripted people, and the paths their requests take."""
