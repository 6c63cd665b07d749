"""Mock recordings, files and objects for tests: ours and other people's; import them from `ndx_cinac.testing.mock`."""
