"""Where the cells of a run are worked out: in this process, in processes of this machine, or on a dask cluster."""
