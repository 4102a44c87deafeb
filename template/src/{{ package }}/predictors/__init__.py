"""One module per model: the feature work before it, and what is done to its outputs."""
