"""Scripts for environments that uv makes: each prints what one artifact tells, as JSON."""
