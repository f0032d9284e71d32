"""The guild banks' Lambda code."""
