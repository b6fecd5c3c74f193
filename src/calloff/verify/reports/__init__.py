"""What a run is told as: one plain structure, and a terminal, JUnit and HTML view of it."""
