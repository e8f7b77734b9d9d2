"""The command line `mutuelle`: one file per group of commands. `main` loads them, `common` is shared."""
