"""Deploying the app, and looking after what is deployed.

``administration``  What a person does with the Modal side by hand: set it up, look at it, stop
                    paying for it.
``deployment``      Brings the deployed app up to date: forward, never back, and once however many
                    ask.
``source``          Which files are shipped to the container, and the tags that tell deployments
                    apart.
"""
