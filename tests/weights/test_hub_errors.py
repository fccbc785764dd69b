"""What goes wrong with the hub becomes an error that says what helps."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from tests.local.hub_server import Hub, hub_server

from tiomagic.display.next_steps import PYTHON, SHELL, add_ways
from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    TioMagicError,
)
from tiomagic_domain.progress import ignore_progress
from tiomagic_local.weights import hub, hub_requests
from tiomagic_local.weights.hub_errors import translate_hub_errors

__all__ = ["hub_server"]

T2V = find_model("wan2.1-t2v-1.3b")

OF_OTHER_USES = {
    *("CLIError", "CLIExtensionInstallError", "ConfirmationError", "DeviceCodeError", "OIDCError"),
    *("CacheNotFound", "CorruptedCacheException", "FileDuplicationError"),
    *("DDUFCorruptedFileError", "DDUFError", "DDUFExportError", "DDUFInvalidEntryNameError"),
    *("GenerationError", "IncompleteGenerationError", "OverloadedError", "TextGenerationError"),
    *("UnknownError", "ValidationError", "InferenceEndpointError"),
    *("NotASafetensorsRepoError", "SafetensorsParsingError", "SandboxCommandError", "SandboxError"),
    *("StrictDataclassError", "StrictDataclassDefinitionError"),
    *("StrictDataclassClassValidationError", "StrictDataclassFieldValidationError"),
}
"""Errors of the hub's client that a download never raises: its command line, inference, other file
formats, its cache's housekeeping."""


class TestAnswers:
    @pytest.mark.parametrize(
        ("name", "status", "expected", "words"),
        [
            ("GatedRepoError", 403, "AuthenticationError", "accept its licence"),
            ("RepositoryNotFoundError", 404, "AuthenticationError", "give a token of the hub"),
            ("RevisionNotFoundError", 404, "ConfigurationError", "use a folder of weights"),
            ("DisabledRepoError", 403, "AuthenticationError", "give a token of the hub"),
            ("HfHubHTTPError", 401, "AuthenticationError", "give a token of the hub"),
            ("HfHubHTTPError", 429, "RateLimitError", "later"),
            ("HfHubHTTPError", 500, "APIError", "use a folder of weights"),
            ("RemoteEntryNotFoundError", 404, "APIError", "use a folder of weights"),
            ("BadRequestError", 400, "APIError", "use a folder of weights"),
        ],
    )
    def test_answers_of_the_hub(self, name: str, status: int, expected: str, words: str) -> None:
        """Each refusal becomes an error that says what helps."""
        import httpx
        from huggingface_hub import errors

        request = httpx.Request("GET", "https://hub.test/")
        response = httpx.Response(status, request=request)
        error = meaning(getattr(errors, name)("no", response=response))
        assert type(error).__name__ == expected
        assert words in error.message

    @pytest.mark.parametrize(
        "name",
        [
            "LocalEntryNotFoundError",
            "OfflineModeIsEnabled",
            "RevisionResolutionError",
            "FileMetadataError",
        ],
    )
    def test_no_hub(self, name: str) -> None:
        """Without a network the error says how to give the weights by hand, and can be retried."""
        from huggingface_hub import errors

        error = meaning(getattr(errors, name)("no network"))
        assert type(error).__name__ == "APIError"
        assert error.retryable
        assert "use a folder of weights" in error.message
        assert error.message.endswith("meanwhile, use the model doodle")

    def test_a_broken_connection(self) -> None:
        """What the transport raises by itself is understood as well: really, at a closed port."""
        from huggingface_hub.utils import get_session

        with pytest.raises(Exception, match="refused") as caught:
            get_session().get("http://127.0.0.1:9/")
        # One that no family of exceptions of the standard library has.
        assert not isinstance(caught.value, OSError)
        assert meaning(caught.value).retryable
        assert meaning(ConnectionResetError("reset")).retryable

    def test_a_full_disk(self) -> None:
        """A full disk is no network trouble."""
        error = meaning(OSError(errno.ENOSPC, "No space left on device"))
        assert isinstance(error, ConfigurationError)
        assert "disk is full" in error.message
        assert isinstance(meaning(PermissionError("read only")), ConfigurationError)
        read_only = meaning(OSError(errno.EROFS, "Read-only file system", "/mnt/hub"))
        assert isinstance(read_only, ConfigurationError)
        assert "cannot be stored: [Errno 30] Read-only file system: '/mnt/hub'" in read_only.message

    def test_a_name_that_is_none(self) -> None:
        """A repository that cannot exist is a wrong setting."""
        from huggingface_hub import errors

        assert isinstance(meaning(errors.HFValidationError("bad")), ConfigurationError)

    def test_errors_of_the_client_are_all_understood(self) -> None:
        """Every error that a download may raise is translated; a new one must be looked at."""
        from huggingface_hub import errors

        passed = set()
        for name, kind in vars(errors).items():
            if not isinstance(kind, type) or kind.__module__ != errors.__name__:
                continue
            if issubclass(kind, Exception):
                error: Exception = kind.__new__(kind)
                try:
                    with translate_hub_errors("a/b", model="m"):
                        raise error
                except TioMagicError:
                    continue
                except Exception:
                    passed.add(name)
        assert passed <= OF_OTHER_USES

    def test_our_own_errors_pass(self) -> None:
        """What is an error of ours already is not translated again."""
        original = ConfigurationError("as it is")
        assert meaning(original) is original


def meaning(error: Exception, repository: str = "a/b") -> TioMagicError:
    """Return what an error becomes."""
    with pytest.raises(TioMagicError) as caught, translate_hub_errors(repository, model=T2V.name):
        raise error
    return caught.value


def refused(repository: str = "a/b", model: str = T2V.name) -> TioMagicError:
    """Return the error of a download."""
    with pytest.raises(TioMagicError) as caught:
        hub.download_repository(repository, None, model=model, token=None, progress=ignore_progress)
    return caught.value


@pytest.fixture
def in_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A shorter time for an answer; the hub's client alone would try for more than a minute."""
    monkeypatch.setattr(hub_requests, "ANSWER_WITHIN_S", 0.3)
    since = time.monotonic()
    yield
    assert time.monotonic() - since < 30


class TestNoNetwork:
    """Each way to have no network is found out in time, and told in one sentence."""

    def test_the_time(self) -> None:
        """Nobody waits more than five seconds to hear that there is no network."""
        assert hub_requests.ANSWER_WITHIN_S < 5

    def test_a_hub_that_hangs(self, hub_server: Hub, in_time: None) -> None:
        """It takes the connection and gives no answer."""
        hub_server.may_send.clear()
        error = refused()
        assert error.message.startswith(
            f"no network, or a slow one: the hub {hub_server.address} (HF_ENDPOINT) gives no answer"
        )
        assert error.retryable

    def test_a_refused_connection(
        self, hub_server: Hub, in_time: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing listens at the address."""
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
        assert (
            "the hub http://127.0.0.1:9 (HF_ENDPOINT) refuses the connection" in refused().message
        )

    def test_the_first_reason_is_told_when_the_time_ends_in_another_attempt(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A connection is refused, then nothing answers any more: the refusal is the news."""
        monkeypatch.setattr(hub_requests, "ANSWER_WITHIN_S", 1.0)
        monkeypatch.setattr(hub_requests, "FIRST_PAUSE_S", 0.0)
        asked: list[int] = []
        never = threading.Event()

        def ask(_self: object, _path: str) -> None:
            asked.append(1)
            if len(asked) == 1:
                raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
            never.wait(20)

        monkeypatch.setattr(hub_requests.HubRequests, "_get_json", ask)
        try:
            assert "refuses the connection" in refused().message
        finally:
            never.set()
        assert len(asked) == 2

    def test_a_name_that_is_not_known(
        self, hub_server: Hub, in_time: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a network no name can be looked up, and the system may take its time for that."""
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")

        def unknown(*_given: object, **_rest: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        assert refused().message.startswith(
            "no network: the name hub.invalid cannot be looked up. Check HF_ENDPOINT, or unset "
            "it; or use a folder of weights; meanwhile, use the model doodle"
        )
        over = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_given, **_rest: over.wait(60))
        assert "gives no answer" in refused().message
        over.set()

    def test_offline_by_choice(self, hub_server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        """The switch of the hub's client is named, and nothing is asked."""
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        error = refused()
        assert error.message.startswith("HF_HUB_OFFLINE is set, so nothing is downloaded: unset it")
        assert hub_server.asked == []

    def test_what_was_downloaded_before_needs_no_network(
        self, hub_server: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A branch has the commit that it had last; a file that is missing is an error."""
        from huggingface_hub import constants

        hub_server.publish("a/b", {"config.json": b"{}", "x.safetensors": b"1"})
        given = {"model": "m", "token": None, "progress": ignore_progress}
        folder = hub.download_repository("a/b", "main", names=("*.json",), **given)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        assert hub.download_repository("a/b", "main", names=("*.json",), **given) == folder
        with pytest.raises(APIError, match="HF_HUB_OFFLINE"):
            hub.download_repository("a/b", "main", **given)


class TestRefusals:
    def test_a_hub_in_trouble_is_not_a_missing_network(self, hub_server: Hub) -> None:
        """The endpoint and the status are named."""
        hub_server.trouble = [503] * 100
        error = refused()
        words = f"the hub {hub_server.address} (HF_ENDPOINT) answers 503 (Service Unavailable)"
        assert error.message.startswith(words)
        assert error.details["status_code"] == 503
        assert "network" not in error.message

    def test_a_gated_repository(self, hub_server: Hub) -> None:
        """The page to accept the licence is named, and what else a user without a token needs."""
        hub_server.headers = {"X-Error-Code": "GatedRepo"}
        hub_server.trouble = [401] * 100
        error = refused()
        assert isinstance(error, AuthenticationError)
        said = "accept its licence once at https://huggingface.co/a/b and then give a token"
        assert said in error.message
        assert add_ways(error.message, SHELL).endswith("give a token of the hub [HF_TOKEN=...]")
        assert add_ways(error.message, PYTHON).endswith("[tm.configure(hf_token=...)]")

    def test_a_token_whose_account_has_not_accepted(self, hub_server: Hub) -> None:
        """Who has a token needs no other one."""
        hub_server.headers = {"X-Error-Code": "GatedRepo"}
        hub_server.trouble = [403] * 100
        with pytest.raises(AuthenticationError, match=r"with the account of your token$"):
            hub.download_repository(
                "a/b", None, model="m", token="hf_secret", progress=ignore_progress
            )

    def test_a_repository_that_is_not_shown(self, hub_server: Hub) -> None:
        """It is private, or there is none: a token or another name may help."""
        hub_server.trouble = [401] * 100
        message = refused().message
        assert message.startswith(
            f"the hub {hub_server.address} (HF_ENDPOINT) does not show 'a/b' without a token "
            "(401): give a token"
        )
        assert message.endswith("or check the name at https://huggingface.co/a/b")

    def test_a_commit_that_is_gone(self, hub_server: Hub) -> None:
        """No token and no time helps, only the files."""
        hub_server.publish("a/b", {"config.json": b"{}"})
        with pytest.raises(ConfigurationError, match="no longer has"):
            hub.download_repository(
                "a/b", "f" * 40, model="m", token=None, progress=ignore_progress
            )


def test_the_advice_in_the_words_of_each_surface() -> None:
    """A shell gets commands, a program gets calls."""
    own = next(iter(T2V.repositories))
    message = meaning(ConnectionRefusedError("refused"), own).message
    assert add_ways(message, SHELL).endswith(
        "With a network, download the weights of wan2.1-t2v-1.3b once "
        "[tiomagic download wan2.1-t2v-1.3b]; or use a folder of weights "
        "[--model-path FOLDER]; meanwhile, use the model doodle [-m doodle]"
    )
    assert "once [tm.download('wan2.1-t2v-1.3b')]; or" in add_ways(message, PYTHON)


def test_a_file_of_the_users_is_not_advised_as_the_models_weights() -> None:
    """A download of the model would not fetch it."""
    message = meaning(ConnectionRefusedError("refused"), "ann/her-files").message
    assert "try again with a network" in message
    assert "download the weights" not in message


class TestSettings:
    """Where a setting is what keeps the hub away, the error names it, and no secret."""

    @pytest.mark.parametrize(
        ("endpoint", "expected"),
        [
            (
                "http://127.0.0.1:9",
                "the hub http://127.0.0.1:9 (HF_ENDPOINT) refuses the connection. Check HF_",
            ),
            (
                "mirror.test",
                "HF_ENDPOINT is no address: 'mirror.test'. Set it as https://HOST, or unset it; ",
            ),
        ],
    )
    def test_another_hub(
        self, hub_server: Hub, monkeypatch: pytest.MonkeyPatch, endpoint: str, expected: str
    ) -> None:
        """A mirror that is away, or was written wrong, is named."""
        from huggingface_hub import constants

        assert hub_server.address
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        assert refused().message.startswith(expected)

    def test_a_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A dead proxy is named without its password; the hub is not to blame."""
        monkeypatch.setenv("https_proxy", "http://somebody:pw-of-proxy@127.0.0.1:9")
        monkeypatch.delenv("no_proxy", raising=False)
        message = meaning(ConnectionRefusedError("refused")).message
        assert message.startswith(
            "the hub https://huggingface.co gives no answer through the proxy 127.0.0.1:9. Mend or "
            "unset HTTPS_PROXY; or use a folder of weights"
        )
        assert "pw-of-proxy" not in message
        monkeypatch.setenv("no_proxy", "huggingface.co")
        assert "proxy" not in meaning(ConnectionRefusedError("refused")).message

    @pytest.mark.parametrize("token", ["hf_sécret", "hf_sec\nret", "hf_sec\x00ret"])
    def test_a_token_that_cannot_be_sent(self, hub_server: Hub, token: str) -> None:
        """It is refused before a request, and no part of it is in the message."""
        with pytest.raises(
            AuthenticationError, match="has a character that no token has"
        ) as caught:
            hub.download_repository("a/b", None, model="m", token=token, progress=ignore_progress)
        assert "hf_s" not in str(caught.value.to_dict())
        assert caught.value.__cause__ is None
        assert hub_server.asked == []

    def test_when_a_hub_in_trouble_wants_to_be_asked_again(self, hub_server: Hub) -> None:
        """A hub in maintenance says when it is back."""
        hub_server.headers, hub_server.trouble = {"Retry-After": "120"}, [503] * 100
        assert "answers 503 (Service Unavailable): try again in 120 s; or" in refused().message

    def test_a_page_to_sign_in(self, hub_server: Hub) -> None:
        """A network that answers with a page of its own is no hub."""
        hub_server.trouble = [200] * 100
        hub_server.content_of_trouble = b"<html>Welcome to the hotel</html>"
        assert "answers with a page that is no list of files: sign in" in refused().message
