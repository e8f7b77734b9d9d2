"""Behind `make run`: seeds the demo mutuelles, prints the welcome page, and runs until Ctrl-C.

`run` starts and stops the copy, `demo` seeds, `welcome_page` renders the page.
"""
