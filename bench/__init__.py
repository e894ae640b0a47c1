"""How long a lab takes: `python -m bench run` measures, the other commands say what was found. See docs/bench.md."""
