"""End-to-end stories: the whole product as real processes."""
