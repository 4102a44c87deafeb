"""Tests of what the template brings, against the models that this service has."""
