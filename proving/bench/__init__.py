"""Figures: what the product does per second, each beside a bare baseline under the same server in the same
run."""
