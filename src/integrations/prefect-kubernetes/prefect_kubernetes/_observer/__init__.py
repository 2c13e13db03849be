"""What becomes of the jobs and pods of flow runs: seen by a watch, or by looking at them from time to time."""
