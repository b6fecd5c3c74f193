"""Second opinions: an independent implementation, the vendors' own signers, and a tamperer."""
