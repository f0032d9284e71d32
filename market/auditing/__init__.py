"""What an audit derives again from tape, journal and orders, and compares with what is stored."""
