"""The doors: command line now, HTTP and pages later; all of them over the same use cases."""
