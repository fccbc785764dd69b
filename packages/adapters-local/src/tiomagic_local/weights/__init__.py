"""Finding and downloading weights: from a folder, the package, or the Hugging Face hub.

``blob_reuse``      Reuses files that another repository of the hub's cache has already, by hard
                    links.
``cache_writes``    Writes into the cache of the hub's client, in its own layout.
``given_files``     Finds the files that a call gives in place of components, here or on the hub.
``hub``             Downloads weights from the Hugging Face hub into the cache of its client.
``hub_cache``       Reads the cache of the hub's client: which files are here, without the network.
``hub_errors``      Translates errors of the hub's client, with advice: token, licence, network,
                    disk.
``hub_files``       Patterns of the files that are downloaded.
``hub_requests``    Requests to the hub that end in time.
``inventory``       Tells what of a model's weights is here, and what a run would fetch, offline.
``locate``          Finds a model's weights: a given folder or file, the package, or the hub.
``lora_files``      Finds and downloads the LoRA files of a call, and checks their headers. Loads
                    no torch.
``no_answer``       Says why the hub gave no answer.
``pinned_commits``  Pins the first fetched commit of repositories that a card does not pin.
``transfer``        Downloads several files at once, and stops at once; parts are continued.
"""
