"""Mock recordings, files and objects, for our tests and other people's: see `ndx_cinac.testing.mock`."""
