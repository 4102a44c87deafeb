"""The engine: everything between a request's bytes and a model's arrays."""
