"""Cancel cloud jobs safely, and prove that a server cancels as its contract says."""
