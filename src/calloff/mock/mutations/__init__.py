"""Ways to bend the steps of the correct server: what the tables of mutants are made of."""
