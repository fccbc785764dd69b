"""The error codes: stable words by which programs recognise errors.

A code is stored with a failed job and never changes its meaning: members are added, not renamed.
Code that has no member of its own has the one of its class, such as ``invalid_input``. Packages
that bring models or providers may use words of their own; a code is compared as text.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class ErrorCode(StrEnum):
    """Every code of tiomagic, with what it means."""

    meaning: str
    """One sentence, for the documentation."""

    def __new__(cls, value: str, meaning: str) -> Self:
        """Make a member out of its word and what it means."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    # The classes of errors.
    ERROR = "error", "an error of no other kind"
    INVALID_INPUT = "invalid_input", "an argument is not legal"
    FILE_NOT_TAKEN = "file_not_taken", "the provider cannot read this file; another one may"
    UNKNOWN_MODEL = "unknown_model", "no model has this name, or it lacks the feature"
    UNKNOWN_PROVIDER = "unknown_provider", "no provider has this name"
    NOT_FOUND = "not_found", "no such job, file, log or run"
    CONFIGURATION = "configuration", "a setting is missing or cannot be used"
    IMPLEMENTATION = "implementation", "the part that runs a call cannot be created"
    MISSING_DEPENDENCY = "missing_dependency", "a package is not installed"
    AUTHENTICATION = "authentication", "a token is missing or refused"
    API_ERROR = "api_error", "a service could not be reached, or answered with an error"
    RATE_LIMITED = "rate_limited", "a service limits requests for now"
    DEPLOYMENT = "deployment", "the remote side could not be set up"
    GENERATION = "generation", "the model could not make the video"
    CANCELED = "canceled", "the run stopped because it was asked to"
    JOB_FAILED = "job_failed", "the job ended without a video"
    TIMEOUT = "timeout", "the job was not over when the timeout of a wait ended"
    PROCESSING = "processing", "a file could not be read, decoded or written"
    INVALID_TRANSITION = "invalid_transition", "a job was given a status that it cannot have now"
    STALE_JOB = "stale_job", "another process changed the job after it was read"
    LEASE_LOST = "lease_lost", "a worker was silent for too long and lost its job"

    # Calls, recipes and jobs.
    UNKNOWN_FEATURE = "unknown_feature", "no feature has this name"
    UNKNOWN_LICENCE = "unknown_licence", "no licence has this name"
    NOT_JSON = "not_json", "a document is not JSON, or too large"
    NOT_UTF8 = "not_utf8", "a text is not in UTF-8"
    NOT_A_RECIPE = "not_a_recipe", "a document is not a recipe of tiomagic"
    NO_RECIPE = "no_recipe", "a video has no recipe inside"
    RECIPE_FORMAT = "recipe_format", "a recipe is in a format of a newer version"
    UNTRUSTED_WEIGHTS = "untrusted_weights", "a recipe would download weights that you did not name"
    TERMS_NOT_ACCEPTED = "terms_not_accepted", "the model's terms were not accepted by its name"
    JOB_EXISTS = "job_exists", "a job with this id is stored already"
    JOB_NOT_OVER = "job_not_over", "the job still runs"
    JOB_NOT_WAITING = "job_not_waiting", "the job does not wait in a queue of this job store"
    DOES_NOT_FIT = "does_not_fit", "the run cannot work here; `details` says what would"
    OVER_BUDGET = "over_budget", "the run may cost more than `max_cost` or a budget allows"
    ALL_PASSED_OVER = "all_passed_over", "none of several providers can run the call"
    KEY_REUSED = "key_reused", "an idempotency key was used for another call"
    KEY_TAKEN = "key_taken", "a stored job has this idempotency key"
    NOT_LOST = "not_lost", "the run of a job that was canceled as lost was seen just now"
    VERSION_1 = "version_1", "the job failed in tiomagic 1.0.0"

    # What became of a run.
    ANSWER_LOST = "answer_lost", "a submission was not answered: the job may run or not"
    OUTCOME_UNKNOWN = "outcome_unknown", "a service never answered a submission: it may be billed"
    LOST = "lost", "the provider has no run of the job, and none can be on its way"
    WORKER_LOST = "worker_lost", "the process of the run was killed"
    MALFORMED_ANSWER = "malformed_answer", "a provider's answer cannot be used"
    UNREACHABLE = "unreachable", "the provider could not be asked"
    UNEXPECTED = "unexpected", "an error of another library, or a bug"
    OUT_OF_MEMORY = "out_of_memory", "the memory of the device was not enough"
    DEVICE_LOST = "device_lost", "the device no longer answers"
    DEVICE_MISSING = "device_missing", "the device is not there"
    NOT_FINITE = "not_finite", "the model gave values that are not numbers"
    NO_FRAMES = "no_frames", "there are no frames"
    NO_VIDEO = "no_video", "there is no video, or it cannot be played"
    RANK_FAILED = "rank_failed", "a process of a group of devices failed"
    RANK_LATE = "rank_late", "a process of a group of devices did not start in time"
    RANK_LOST = "rank_lost", "a process of a group of devices died"
    RANK_STUCK = "rank_stuck", "a process of a group of devices stopped answering"

    # This machine and its settings.
    BROKEN_PLUGIN = "broken_plugin", "an installed plug-in cannot be loaded"
    NO_PROVIDER = "no_provider", "no provider is configured"
    NO_BACKGROUND = "no_background", "the provider cannot run jobs in the background"
    NO_BUDGETS = "no_budgets", "the job store cannot keep a budget"
    NO_WORKER = "no_worker", "a background worker did not start"
    NO_WORKING_DIR = "no_working_dir", "the working directory is gone"
    NO_DEVICE_LOCK = "no_device_lock", "the lock of a device cannot be made or read"
    NO_PRIVATE_FOLDER = "no_private_folder", "there is no folder for this user's locks"
    HEARTBEAT_FAILED = "heartbeat_failed", "a worker could not renew its lease"
    DISK_FULL = "disk_full", "the disk is full"
    INPUTS_NOT_WRITABLE = "inputs_not_writable", "the folder of inputs cannot be written"
    OUTPUT_UNWRITABLE = "output_unwritable", "the folder of videos cannot be written"
    SPOOL_UNWRITABLE = "spool_unwritable", "the folder of unsaved videos cannot be written"
    GENERATION_LOG = "generation_log", "generation_log.json cannot be written"
    DATABASE = "database", "the database could not do what was asked"
    DATABASE_BUSY = "database_busy", "other processes keep the database busy"
    DATABASE_CONFLICT = "database_conflict", "the database refused a value that conflicts"
    DATABASE_NEWER = "database_newer", "a newer version of tiomagic made the database"
    DATABASE_REPLACED = "database_replaced", "the database file was replaced while in use"
    DATABASE_SCHEMA = "database_schema", "the database has other tables than tiomagic needs"
    DATABASE_UNAVAILABLE = "database_unavailable", "the database server cannot be reached"
    DATABASE_UNREADABLE = "database_unreadable", "the database file is damaged, or not a database"
    DATABASE_UNWRITABLE = "database_unwritable", "the database cannot be opened or written"
    DATABASE_URL = "database_url", "the address of the database is not legal"
    DATABASE_VALUE = "database_value", "the database refused a value"
    DATABASE_VERSION = "database_version", "the database is too old for tiomagic"

    # Pictures and videos that are given.
    CANNOT_FETCH = "cannot_fetch", "a file cannot be fetched from its address"
    PRIVATE_ADDRESS = "private_address", "an address of this machine or of a private network"
    CHANGED = "changed", "a file changed while it was fetched"
    TOO_SLOW = "too_slow", "a download or a decoder took too long"
    TOO_LARGE = "too_large", "a file has too many bytes or pixels"
    TOO_LONG = "too_long", "a video has too many frames or seconds"
    UNAVAILABLE = "unavailable", "a service or server cannot answer now"
    DATA_URL = "data_url", "a data: address is not legal"
    NOT_A_FILE = "not_a_file", "the path is not a file"
    NOT_READABLE = "not_readable", "a file cannot be opened"
    NOT_BINARY = "not_binary", "an open file gives text, not bytes"
    NOT_MEDIA = "not_media", "the value is not a picture or video"
    NOT_AN_INPUT = "not_an_input", "a reference names an input that is not kept"
    NOT_AN_IMAGE = "not_an_image", "the file is not a picture"
    NOT_A_VIDEO = "not_a_video", "the file is not a video"
    NOT_A_FRAME = "not_a_frame", "an entry of a sequence is not a picture"
    EMPTY = "empty", "a file has no bytes"
    DAMAGED = "damaged", "a picture or video is damaged or cut off"
    SIZE_CHANGES = "size_changes", "the frames have different sizes"
    UNKNOWN_CODEC = "unknown_codec", "there is no decoder for the video"
    EMPTY_MASK = "empty_mask", "mask_video is black in all frames: nothing would be replaced"
    NOBODY_FOUND = "nobody_found", "no person was found in the guiding video"
    WRONG_DIGEST = "wrong_digest", "a fetched file is not the one that was pinned"

    # Modal.
    NO_TOKEN = "no_token", "there is no Modal token"
    BAD_TOKEN = "bad_token", "Modal refuses the token"
    HALF_A_TOKEN = "half_a_token", "only one part of the Modal token is set"
    PERMISSION_DENIED = "permission_denied", "the token may not do this"
    UNKNOWN_GPU = "unknown_gpu", "Modal has no such GPU"
    GPU_TOO_SMALL = "gpu_too_small", "the GPU is known to be too small for the model"
    MODAL_TOO_OLD = "modal_too_old", "Modal no longer serves its installed client"
    REFUSED = "refused", "Modal refused a request"
    IMAGE_BUILD = "image_build", "Modal could not build the image"
    NEWER_VERSION = "newer_version", "a newer version of the app is deployed"
    PROTOCOL = "protocol", "the two sides speak different versions of the wire format"
    FUNCTION_TIMEOUT = "function_timeout", "the run reached its timeout on Modal"
    EXPIRED = "expired", "Modal keeps a result for seven days"
    REMOTE = "remote", "the container ended without a result"
    UNREADABLE_RESULT = "unreadable_result", "the answer of the container cannot be read here"
    LOST_INPUT = "lost_input", "Modal lost the job on its side"
    DUPLICATE = "duplicate", "another call runs the job"
    GATED_MODEL = "gated_model", "the weights need a licence that was not accepted"
    WORKER = "worker", "an error in the container, of no other kind"

    # A Ray cluster.
    NO_CLUSTER = "no_cluster", "no Ray cluster answers at the address"
    CLUSTER_TOKEN = (
        "cluster_token",
        "the token of the Ray cluster is missing, or refused",
    )
    CLUSTER_VERSIONS = "cluster_versions", "the Ray cluster has another version of Ray or Python"
    NO_SUCH_GPU = "no_such_gpu", "no machine of the Ray cluster has the GPU that is asked for"
    NOT_INSTALLED_THERE = "not_installed_there", "a machine of the Ray cluster lacks tiomagic"
    SHARED_FOLDER = (
        "shared_folder",
        "a machine of the Ray cluster has another shared folder than the caller",
    )

    # The web page.
    BAD_LOGIN = "bad_login", "the login of the page is not legal"
    NO_LOGIN = "no_login", "a page for other machines needs a login"
    NO_PAGE = "no_page", "the page did not start"
    NO_PORT = "no_port", "the port is taken"
