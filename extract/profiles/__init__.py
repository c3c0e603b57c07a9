"""Maps a profile of a served run onto the kernels of a tree."""
