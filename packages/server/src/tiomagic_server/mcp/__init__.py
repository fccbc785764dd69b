"""tiomagic for agents, by the Model Context Protocol: ``tiomagic mcp``, and ``/mcp`` of a server.

``confirmations``  Tokens by which a call that may cost money names the plan that was seen before.
``over_http``      Serves agents of other machines at ``/mcp``, by streamable HTTP.
``server``         Builds the MCP server: the tools over a ``TioMagic``.
``stdio``          Serves one agent over standard input and output.
``texts``          Plans and jobs as an agent reads them.
``tools``          The tools of an agent.
``words``          Arguments of the tools, with the words by which an agent reads them.
"""
