"""Settling the tape: commits become account changes, closed orders become notifications."""
