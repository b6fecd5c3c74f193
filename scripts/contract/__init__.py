"""What other teams pick up: the contract in the forms that their tools read."""
