"""How every vendor is asked over HTTP, the same everywhere.

A connector describes its vendor in a `client.Dialect` (how to sign a request, how to read its error bodies), makes a
`messages.Request`, picks a paginator of `pages` and receives `Page`s. `errors` says what each way of failing asks for.
"""
