"""Where weights come from: a folder, the package, or the hub.

``blob_reuse``      Files that another repository of the hub's cache has already: no second
                    download, no second copy.
``hub``             Weights from the Hugging Face hub.
``hub_errors``      What the errors of the hub's client mean for a user.
``locate``          Where a model's weights are: given by hand, brought by the package, or on the
                    hub.
``lora_files``      Where the LoRA files of a call are: on this machine, or on the hub. Loads no
                    torch.
``pinned_commits``  The commits that this machine uses of repositories for which no commit is
                    known to be good.
``single_file``     A transformer that is given as one file, in the place of the one that a model
                    has.
"""
