"""The run-time side of the DynamoDB pattern catalogue: one folder per pattern."""
