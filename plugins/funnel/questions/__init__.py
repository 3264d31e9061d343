"""Questions of analysts: a line of text or a tool's call becomes a metric's figures, as readers see them."""
