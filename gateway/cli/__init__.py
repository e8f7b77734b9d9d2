"""The command line `mutuelle`: one file per group of commands; `main` puts them together, `common` is what
all of them need."""
