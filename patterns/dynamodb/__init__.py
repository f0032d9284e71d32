"""What every DynamoDB pattern stands on: a client that is cheap to create, an exact item codec, and page tokens."""
