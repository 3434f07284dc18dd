"""Jobs: job, job run, attempt, queue and log; a script at a commit, run in a guest as the person who started it."""
