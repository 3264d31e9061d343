"""HTTP access to vendors, the same for all.

A connector describes its vendor in a `client.Dialect` (how to sign a request, how to read its error bodies), makes a
`messages.Request`, picks a paginator of `pages` and receives `Page`s. `errors` has the reaction to each failure.
"""
