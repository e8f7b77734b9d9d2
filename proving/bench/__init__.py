"""Benchmarks: work of the product per second, beside a bare baseline in the same run."""
