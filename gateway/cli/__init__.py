"""The command line `mutuelle`: one file per group of commands. `main` joins them, `common` is shared."""
