"""Behind `make run`: seeds the demo mutuelles, prints the welcome page, and runs until Ctrl-C.

`run` starts and stops, `demo` seeds, `welcome_page` is what is printed.
"""
