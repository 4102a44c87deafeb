"""The tests: service/ is the template's, team/ is yours."""
