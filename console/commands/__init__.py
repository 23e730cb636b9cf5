"""One module for each command of the command line; ``console.cli`` lists and imports them."""
