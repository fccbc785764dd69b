"""Deploying the app, and administering what is deployed.

``administration``  Administration of the Modal side by hand: deploy, status, fetch weights, logs,
                    check, stop.
``deployment``      Deploys the app if it is missing or older: never a downgrade, once for
                    concurrent callers.
``source``          The files that are shipped to the container, and the tags that identify a
                    deployment.
"""
