"""The vendor sandbox: all vendors of a simulated company, over HTTP in their own wire formats.

Pipeline code never imports this package: it reaches the sandbox only over HTTP. Tests may import it, above all
`sandbox.process` (start a server) and `sandbox.truth` (what really happened).
"""
