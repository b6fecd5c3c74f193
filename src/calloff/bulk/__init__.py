"""Cancel many jobs: each id ends as cancelled, refused, unknown or not sent, and nothing is lost on the way.

``run`` holds the workers, ``attempt`` takes one id to its outcome, ``exchange`` sends one request; ``retries`` has
the table of what is done about each answer, ``guard`` keeps keys from being locked, ``tally`` ends a run in which
everything fails, ``pace`` says when a request may leave, ``source`` gives the ids and ``journal`` keeps them;
``threads`` is the synchronous form.
"""
