"""tiomagic for agents, by the Model Context Protocol: ``tiomagic mcp``.

``confirmations``  Tokens by which a call that may cost money names the plan that was seen before.
``media_inputs``   Which pictures and videos an agent may name.
``server``         The MCP server: its tools over a ``TioMagic``.
``stdio``          Serves one agent over standard input and output.
``texts``          Plans and jobs as an agent reads them.
"""
