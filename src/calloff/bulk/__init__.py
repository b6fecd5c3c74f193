"""Cancel many jobs: each id ends as cancelled, refused, unknown or not sent, and nothing is lost on the way."""
