"""What the documentation site is made of: pages as they stand, and pages made from the contract."""
