"""Requests out of files: read, understood, told apart, and opened one by one.

readers     a file becomes rows of text
columns     a row becomes a request
identity    which requests are new
running     the new ones are opened, throttled and safe to repeat
report      what was wrong with the others
"""
