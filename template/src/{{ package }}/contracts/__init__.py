"""One module per model: its request, its answer, and how the two become arrays."""
