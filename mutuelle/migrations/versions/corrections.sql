-- A manager corrects who somebody of a household is: the year of birth, or that the head is somebody else.
GRANT UPDATE (birth_year, kind) ON members TO mutuelle_console;
