"""The vendor sandbox: Google Ads, Meta Ads, HubSpot and Salesforce over HTTP for one made-up company.

Pipeline code never imports this package: it meets the sandbox over HTTP only. Tests may import it, above all
`sandbox.process` (start a server) and `sandbox.truth` (what really happened).
"""
