"""What ccafl costs and how much it holds: `python -m bench.NAME`, results under bench/results."""
