"""What the HTTP functions share: reading requests, answering them, and the data access of each side of the market."""
