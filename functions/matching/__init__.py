"""The matcher's data access: records in, the book read lazily, commits written as fenced transactions."""
