"""The conformance suite: proves over HTTP that a server cancels as its contract says.

wire         sends any bytes, reads what comes back (plain_answer: most of it); strict_wire keeps what comes behind an
             answer, wires lends several
given        a target from options and environment; jobs_file and credentials_file read what is given in files
target       the server under test: address, credentials, jobs in a wanted state
pace         when a request may leave: rate, budgets, the pause that a throttling server asks for
key_guard    keeps a key from being locked by failures in a row
preflight    looks at a target before the checks
recipes/     the ways to authenticate a request, rightly and wrongly, as a table
shapes       the ways to write a request, as a table
judge        holds one answer against the document
cells        the decision table: recipe x job state x shape, each on a fresh job; cell_run runs one cell
races        two requests at the same time
protocol     what only a connection, a neighbour or the moment after can show
model        a state machine that walks through the operations at random
fuzz         what schemathesis writes, signed and supplied with jobs; fuzz_cases lets it write and judge, fuzz_source
             does so in a process beside the other checks
checks       every check of the suite, and how much of it a budget covers
selection    chooses by requirement, level, operation or case
session      one check in progress: sends, judges, notes
workers      several checks at the same time
engine       runs the checks: order, progress, interruption, result
rehearsal    lists what a run would send, without sending it
outcome      what a run found; expectations excuses known failures, compare tells two reports apart
reports/     terminal, JSON, JUnit, HTML, Markdown
"""
