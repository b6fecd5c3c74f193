"""A server that cancels jobs as the contract says, for tests and development without a cloud account.

- ``app``: the ASGI application of one API; ``pipeline``: the steps a request goes through
- ``server``: everything together over HTTP, embedded (`run_embedded`) or in the foreground (`serve`)
- ``ci``, ``dli``: models, routes, errors and signature checks of the two vendors' families
- ``jobs``, ``keys``, ``ids``: what the server keeps
- ``iam``: tokens; ``provider_states``: how a suite asks for jobs and credentials
- ``dialects``: the choices where the vendors are silent; ``mutants``: servers that are wrong on purpose

Nothing here imports the signer or the clients: a mistake there cannot hide in the verifier here.
"""
