"""The conformance suite: proves over HTTP that a server cancels as its contract says.

wire        sends any bytes, reads what comes back
given       a target from options and environment
target      the server under test: address, credentials, jobs in a wanted state
recipes/    the ways to authenticate a request, rightly and wrongly, as a table
shapes      the ways to write a request, as a table
judge       holds one answer against the document
cells       the decision table: recipe x job state x shape, each on a fresh job
races       two requests at the same time
model       a state machine that walks through the operations at random
fuzz        schemathesis, signed and supplied with jobs
engine      runs the checks: order, budget, progress, interruption, result
reports/    terminal, JSON, JUnit, HTML
"""
