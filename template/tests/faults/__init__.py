"""Faults, overload and hostile input, each against Gunicorn with two workers: `make faults`."""
