"""Runs of jobs: started once, waited for, stopped with whoever waits, and told of when they fail."""
