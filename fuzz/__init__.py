"""Coverage-guided fuzzing of everything here that reads text from outside: see README.md."""
