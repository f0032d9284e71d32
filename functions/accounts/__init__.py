"""Accounts as they are stored: lines that only ever get increments, and a journal that only ever gets entries."""
