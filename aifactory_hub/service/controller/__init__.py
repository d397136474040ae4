"""Takes each job forward, one step at a time, and removes what no job needs."""
