"""What becomes of a job when something goes wrong, seen through real containers."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.modal.conftest import SMALL_VIDEO, TEXT_MODEL, finish, poll_until, submit

from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    DeploymentError,
    RateLimitError,
    ResourceNotFoundError,
    ValidationError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.testing import RecordingObserver
from tiomagic_modal.constants import APP_NAME, JOBS_DICT, OUTPUTS_VOLUME, claim_key
from tiomagic_modal.options import ModalOptions
from tiomagic_modal.provider import _report_progress


class TestSubmit:
    def test_what_was_configured_reaches_the_function_that_runs(
        self, fake, new_provider, new_request, options
    ):
        """GPU, timeout and window; 1.0.0 ignored all three."""
        chosen = replace(options, gpu="h200:2", timeout_s=1234, scaledown_window_s=77)
        job = submit(new_provider(options=chosen), new_request())
        call = fake.calls[job.call_id]
        assert (call.gpu, call.timeout_s, call.scaledown_window_s) == ("H200:2", 1234, 77)
        assert call.parameters == {"model": TEXT_MODEL}
        assert job.facts["gpu"] == "H200:2"

    def test_without_a_gpu_the_model_gets_its_own(self, fake, provider, new_request):
        assert fake.calls[submit(provider, new_request()).call_id].gpu == "L40S"

    def test_the_first_submission_says_that_it_sets_up_the_app(self, provider, new_request):
        """Which takes minutes on the real service; the second has nothing to say."""
        said = RecordingObserver()
        provider.submit(new_request(), said)
        assert ["setting up" in report.message for report in said.reports] == [True]
        provider.submit(new_request(), said)
        assert len(said.reports) == 1

    def test_an_image_that_cannot_be_built_is_a_deployment_error(self, fake, provider, new_request):
        fake.faults.fail("ImageGetOrCreate", "NOT_FOUND", "no such base image", times=None)
        with pytest.raises(DeploymentError, match="no such base image"):
            submit(provider, new_request())
        assert not fake.calls

    def test_a_model_that_needs_no_gpu_rents_none(self, fake, provider, new_request):
        """A first job for less than a cent."""
        request = new_request()
        card = replace(request.card, gpu_memory_gib=0, weights_gib=0.1, largest_gib=0.1)
        job = submit(provider, replace(request, card=card))
        assert fake.calls[job.call_id].gpu is None
        resources = fake.functions[fake.calls[job.call_id].function_id].definition.resources
        assert (resources.milli_cpu, resources.memory_mb) == (4000, 8192)

    def test_a_warm_submission_costs_two_rpcs_and_a_poll_two(self, fake, provider, new_request):
        fake.hold()
        submit(provider, new_request())
        fake.traffic.clear()
        job = submit(provider, new_request())
        assert fake.rpc_counts == {"DictUpdate": 1, "FunctionMap": 1}
        fake.traffic.clear()
        assert provider.poll(job).status is JobStatus.QUEUED
        assert fake.rpc_counts == {"DictGet": 1, "FunctionGetOutputs": 1}

    def test_media_travel_with_the_job_and_the_video_comes_back(self, provider, picture_request):
        report = finish(provider, submit(provider, picture_request))
        image = picture_request.media["image"].read_bytes()
        content = report.video.path.read_bytes()
        assert content.endswith(f"mdatvideo of {picture_request.job.job_id} ".encode() + image)
        assert report.video.recipe["job_id"] == picture_request.job.job_id
        assert report.facts["worker_version"] == "2.0.0"
        assert report.facts["gpu"] == "L40S"
        assert report.facts["seconds_loading"] == 1.5
        assert report.facts["seconds_generating"] == 2.0

    def test_a_large_video_comes_home_whole(self, provider, new_request):
        report = finish(provider, submit(provider, new_request(size=5_000_000)))
        assert report.video.path.stat().st_size > 5_000_000
        assert not list(report.video.path.parent.glob(".*"))

    def test_a_refused_gpu_is_said_at_once(self, fake, new_provider, new_request, options):
        fake.settings.refused_gpus = frozenset({"H300"})
        provider = new_provider(options=replace(options, gpu="H300"))
        with (
            pytest.warns(UserWarning, match="H300"),
            pytest.raises(ConfigurationError, match="H300"),
        ):
            submit(provider, new_request())

    def test_a_full_workspace_asks_to_come_back(self, fake, provider, new_request):
        submit(provider, new_request())
        fake.faults.fail("FunctionMap", "RESOURCE_EXHAUSTED", "too many inputs")
        with pytest.raises(RateLimitError, match="too many"):
            submit(provider, new_request())

    def test_an_app_that_was_stopped_meanwhile_is_deployed_again(
        self, fake, provider, new_provider, new_request
    ):
        finish(provider, submit(provider, new_request()))
        assert new_provider()._deployment.stop()
        report = finish(provider, submit(provider, new_request()))
        assert report.status is JobStatus.COMPLETED

    def test_an_unreachable_server_stops_a_submission_soon(self, fake, new_provider, new_request):
        """Not after Modal's own 57 silent seconds; and nothing was sent."""
        provider = new_provider(deadline_s=0.5)
        fake.go_away()
        try:
            with pytest.raises(APIError) as caught:
                submit(provider, new_request())
        finally:
            fake.come_back()
        assert (caught.value.code, caught.value.retryable) == ("unreachable", True)
        assert not fake.calls


class TestWhatTravels:
    def test_a_file_of_weights_stays_at_home(self, fake, provider, request_for):
        """A LoRA of this machine is refused with the way out, and nothing is sent."""
        on_hub = {"source": "owner/name", "scale": 1.0, "component": "transformer"}
        here = {**on_hub, "source": "/home/me/style.safetensors"}
        settings = {"prompt": "a fox", **SMALL_VIDEO}
        provider.check(request_for(Feature.TEXT_TO_VIDEO, TEXT_MODEL, **settings, loras=[on_hub]))
        mixed = request_for(Feature.TEXT_TO_VIDEO, TEXT_MODEL, **settings, loras=[on_hub, here])
        with pytest.raises(ValidationError, match=r"style\.safetensors .* Hugging Face") as caught:
            provider.check(mixed)
        assert "/home/me" not in caught.value.message
        assert not fake.rpc_counts

    def test_python_objects_stay_at_home(self, fake, provider, request_for):
        """An argument that is an object of this process is refused with the reason."""
        settings = {"prompt": "a fox", **SMALL_VIDEO, "attention_kwargs": {"scale": 0.5}}
        request = request_for(Feature.TEXT_TO_VIDEO, TEXT_MODEL, **settings)
        with pytest.raises(ValidationError, match="attention_kwargs: is a Python object of this"):
            provider.check(request)
        assert not fake.rpc_counts


class TestTokens:
    def test_no_token_says_how_to_get_one(self, fake, new_provider, new_request, monkeypatch):
        """Before the job is stored, and without the network."""
        for name in ("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET"):
            monkeypatch.delenv(name)
        with pytest.raises(AuthenticationError, match="modal token new") as caught:
            new_provider(options=ModalOptions()).check(new_request())
        assert caught.value.code == "no_token"
        assert not fake.rpc_counts

    def test_a_refused_token_says_so_and_not_what_it_was(self, new_provider, new_request):
        wrong = ModalOptions(token_id="ak-wrong", token_secret="as-very-secret")
        with pytest.raises(AuthenticationError) as caught:
            submit(new_provider(options=wrong), new_request())
        assert caught.value.code == "bad_token"
        assert "as-very-secret" not in repr(caught.value.to_dict())

    def test_half_a_token_and_bad_numbers_are_found_before_anything(self, new_provider, options):
        provider = new_provider(options=replace(options, token_secret=None))
        with pytest.raises(ConfigurationError):
            provider._options.check()


class TestLostAnswers:
    def lose(self, fake, provider, request):
        """Submit so that Modal has the call and the caller does not know."""
        fake.faults.drop_answer("FunctionMap", "FAILED_PRECONDITION")
        with pytest.raises(APIError) as caught:
            provider.submit(request, RecordingObserver())
        assert caught.value.code == "answer_lost"

    def test_the_job_is_found_by_its_id_and_runs_once(
        self, fake, provider, new_provider, new_request
    ):
        request = new_request()
        self.lose(fake, provider, request)
        report = finish(new_provider(), request.job)
        assert report.status is JobStatus.COMPLETED
        assert [call.runs for call in fake.calls.values()] == [1]

    def test_a_second_submission_sends_nothing(self, fake, provider, new_provider, new_request):
        request = new_request()
        self.lose(fake, provider, request)
        report = new_provider().submit(request, RecordingObserver())
        assert report.status is JobStatus.QUEUED
        assert len(fake.calls) == 1

    def test_a_mark_that_was_written_twice_is_still_the_first(self, fake, provider, new_request):
        """Modal's client repeats a write whose answer was lost; the job is sent nevertheless."""
        finish(provider, submit(provider, new_request()))
        fake.dispatcher.deduplicates = False
        fake.faults.drop_answer("DictUpdate")
        request = new_request()
        job = submit(provider, request)
        assert job.call_id
        assert finish(provider, job).status is JobStatus.COMPLETED

    def test_until_it_is_found_it_is_queued(self, fake, provider, new_request):
        fake.hold()
        request = new_request()
        self.lose(fake, provider, request)
        report = provider.poll(request.job)
        assert report.status is JobStatus.QUEUED
        assert "lost" in report.message

    def test_after_a_bound_it_is_withdrawn_and_then_never_runs(
        self, fake, new_provider, new_request
    ):
        """`failed` is the truth: a container that comes late finds that nobody wants the job."""
        provider = new_provider(lost_after=timedelta(0))
        fake.hold()
        request = new_request()
        self.lose(fake, provider, request)
        report = provider.poll(request.job)
        assert (report.status, report.error_code) == (JobStatus.FAILED, "lost")
        fake.release()
        [call] = fake.calls.values()
        fake.wait_for(lambda: call.status == "done")
        assert call.outcome == "FAILURE"
        assert "run 1" not in fake.log(call.call_id)
        # Had the container claimed it just before, the word would be the same: nobody canceled.
        late = provider.poll(replace(request.job, call_id=call.call_id))
        assert (late.status, late.error_code) == (JobStatus.FAILED, "lost")

    def test_a_submission_that_runs_twice_at_modal_generates_once(
        self, fake, provider, new_request
    ):
        """The second call finds the claim of the first, and whoever asks is sent there."""
        fake.dispatcher.deduplicates = False
        submit(provider, new_request())
        fake.faults.drop_answer("FunctionMap")
        request = new_request(steps=10, pause_s=0.1)
        job = submit(provider, request)
        assert len(fake.calls) == 3
        report = finish(provider, job)
        assert report.status is JobStatus.COMPLETED
        logs = "".join(fake.log(call_id) for call_id in fake.calls)
        assert logs.count(f"job {job.job_id}, run") == 1


class TestSecondStarts:
    def test_a_finished_job_returns_what_is_stored(self, fake, provider, new_request, options):
        """Nothing runs, whoever starts it again."""
        import modal

        request = new_request()
        job = submit(provider, request)
        first = finish(provider, job)
        from tiomagic_modal.wire import encode_request

        with fake.client() as client:
            worker = modal.Cls.from_name(APP_NAME, "VideoWorker", client=client)
            result = worker(model=TEXT_MODEL).generate.spawn(encode_request(request)).get(30)
        assert result["video"] == first.video.path.read_bytes()
        logs = "".join(fake.log(call_id) for call_id in fake.calls)
        assert logs.count(f"job {job.job_id}, run") == 1

    def test_a_preempted_job_starts_again_and_does_not_fail(self, fake, provider, new_request):
        """Progress may go back; the same call goes on in another container."""
        job = submit(provider, new_request(steps=20, pause_s=0.1))
        poll_until(provider, job, lambda report: report.status is JobStatus.RUNNING)
        fake.preempt(job.call_id)
        report = finish(provider, job)
        assert report.status is JobStatus.COMPLETED
        assert fake.calls[job.call_id].runs == 2

    def test_progress_is_seen_while_it_runs(self, provider, new_request):
        job = submit(provider, new_request(steps=25, pause_s=0.1))
        seen = poll_until(
            provider, job, lambda report: report.progress is not None and report.progress.step > 5
        )
        assert seen.status is JobStatus.RUNNING
        assert (seen.progress.phase, seen.progress.steps) == ("denoising", 25)
        assert finish(provider, job).status is JobStatus.COMPLETED

    def test_a_phase_of_a_newer_worker_is_shown_by_its_name(self):
        """Older callers use newer workers."""
        moment = {"call_id": "fc-1", "phase": "sharpening", "step": 1, "steps": 2}
        seen = _report_progress("fc-1", moment)
        assert (seen.status, seen.message) == (JobStatus.RUNNING, "sharpening")
        assert seen.progress is None

    def test_progress_costs_at_most_a_put_a_second(self, fake, provider, new_request):
        """Beside the claim and the first moment."""
        finish(provider, submit(provider, new_request(steps=200, pause_s=0.01)))
        assert fake.container_rpc_counts["DictUpdate"] <= 2 + 4


class TestSeveralGpus:
    def test_a_container_uses_all_of_its_gpus(self, fake, provider, new_request, monkeypatch):
        """It runs one job at a time, so each job has all of them."""
        gpus = "cuda:0,cuda:1"
        monkeypatch.setitem(fake.settings.container_env, "STANDIN_GPUS", gpus)
        report = finish(provider, submit(provider, new_request()))
        assert report.facts["device"] == gpus


class TestEndings:
    @pytest.mark.parametrize("kind", ["TimeoutError", "ValueError", "GenerationError"])
    def test_whatever_a_run_raises_the_job_fails_with_it(self, provider, new_request, kind):
        """Also a TimeoutError, which Modal's client could not tell from `still running`."""
        job = submit(provider, new_request(error=kind, text="it broke"))
        report = finish(provider, job)
        assert report.status is JobStatus.FAILED
        assert "it broke" in report.error

    def test_memory_that_ran_out_names_a_gpu_that_would_do(self, provider, new_request):
        job = submit(provider, new_request(error="RuntimeError", text="CUDA out of memory"))
        report = finish(provider, job)
        assert report.error_code == "out_of_memory"
        assert "gpu to 'H100'" in report.error

    @pytest.mark.parametrize(
        ("fault", "code", "words"),
        [
            ("time_out", "function_timeout", "change the setting timeout"),
            ("out_of_memory", "out_of_memory", "gpu to 'H100'"),
            ("internal_failure", "lost_input", "submit it again"),
            ("remote_error", "remote", "Something remote failed"),
            ("kill_container", "remote", "exit code"),
        ],
    )
    def test_a_call_that_ends_badly_says_what_to_do(
        self, fake, provider, long_request, fault, code, words
    ):
        job = submit(provider, long_request())
        fake.wait_for(lambda: fake.calls[job.call_id].status == "running")
        getattr(fake, fault)(job.call_id)
        report = finish(provider, job)
        assert (report.status, report.error_code) == (JobStatus.FAILED, code)
        assert words in report.error

    def test_the_timeout_that_was_configured_ends_a_run(self, new_provider, long_request, options):
        job = submit(new_provider(options=replace(options, timeout_s=2)), long_request())
        report = finish(new_provider(), job)
        assert report.error_code == "function_timeout"
        assert "of 2 s" in report.error

    def test_an_expired_result_comes_from_the_volume(self, fake, provider, new_request):
        job = submit(provider, new_request())
        first = finish(provider, job).video.path.read_bytes()
        fake.expire(job.call_id)
        report = finish(provider, job)
        assert report.status is JobStatus.COMPLETED
        assert report.video.path.read_bytes() == first

    def test_a_result_that_is_gone_for_good_says_so(self, fake, provider, new_request):
        job = submit(provider, new_request())
        finish(provider, job)
        fake.expire(job.call_id)
        for path in fake.volume_path(OUTPUTS_VOLUME).rglob("*.*"):
            path.unlink()
        report = finish(provider, job)
        assert (report.status, report.error_code) == (JobStatus.FAILED, "expired")

    def test_a_damaged_video_is_not_taken(self, fake, provider, new_request):
        """It is fetched again at the next check."""
        job = submit(provider, new_request())
        finish(provider, job)
        fake.expire(job.call_id)
        [video] = fake.volume_path(OUTPUTS_VOLUME).rglob("*.mp4")
        whole = video.read_bytes()
        video.write_bytes(whole[:-1])
        with pytest.raises(APIError, match="damaged") as caught:
            provider.poll(job)
        assert caught.value.retryable
        video.write_bytes(whole)
        assert finish(provider, job).status is JobStatus.COMPLETED

    def test_another_workspaces_call_leaves_the_job_alone(self, provider, new_request):
        """It may be the wrong token: an error for the person, no end for the job."""
        job = replace(new_request().job, call_id="fc-of-somebody-else")
        with pytest.raises(ResourceNotFoundError, match="workspace"):
            provider.poll(job)

    def test_a_gated_model_says_where_its_token_goes(
        self, fake, provider, new_request, monkeypatch
    ):
        """The container starts, and is not started over and over."""
        monkeypatch.setitem(fake.settings.container_env, "STANDIN_GATED", "1")
        report = finish(provider, submit(provider, new_request()))
        assert "modal secret create --force tiomagic-huggingface" in report.error
        assert fake.containers_started == 1

    def test_the_secrets_token_reaches_the_worker(self, fake, provider, new_request, monkeypatch):
        monkeypatch.setitem(fake.settings.container_env, "STANDIN_GATED", "1")
        fake.add_secret("tiomagic-huggingface", {"HF_TOKEN": "hf_secret"})
        assert finish(provider, submit(provider, new_request())).status is JobStatus.COMPLETED


class TestCancel:
    def test_while_it_waits(self, fake, provider, new_request):
        fake.hold()
        job = submit(provider, new_request())
        report = provider.cancel(replace(job, status=JobStatus.CANCELING))
        assert report.status is JobStatus.CANCELED
        fake.release()
        assert fake.calls[job.call_id].runs == 0

    def test_while_it_runs_it_is_confirmed(self, fake, provider, new_provider, long_request):
        job = submit(provider, long_request())
        poll_until(provider, job, lambda report: report.status is JobStatus.RUNNING)
        canceling = replace(job, status=JobStatus.CANCELING)
        assert provider.cancel(canceling).status is JobStatus.CANCELING
        assert finish(provider, canceling).status is JobStatus.CANCELED
        assert fake.calls[job.call_id].outcome == "TERMINATED"

    def test_somebody_who_polls_an_older_copy_hears_canceled_too(
        self, provider, new_provider, long_request
    ):
        """Not `failed`: the end was our wish, and the board says so."""
        job = submit(provider, long_request())
        poll_until(provider, job, lambda report: report.status is JobStatus.RUNNING)
        provider.cancel(replace(job, status=JobStatus.CANCELING))
        assert finish(new_provider(), job).status is JobStatus.CANCELED

    def test_a_lost_job_can_be_canceled(self, fake, provider, new_request):
        fake.hold()
        request = new_request()
        TestLostAnswers().lose(fake, provider, request)
        job = replace(request.job, status=JobStatus.CANCELING)
        assert provider.cancel(job).status is JobStatus.CANCELED
        fake.release()
        [call] = fake.calls.values()
        fake.wait_for(lambda: call.status == "done")
        assert "run 1" not in fake.log(call.call_id)

    def test_a_call_that_modal_does_not_know_is_canceled(self, provider, new_request):
        job = replace(new_request().job, call_id="fc-unknown", status=JobStatus.CANCELING)
        assert provider.cancel(job).status is JobStatus.CANCELED


def test_the_board_knows_the_call_of_a_job(fake, provider, new_request):
    """What the search for lost jobs stands on, read as another program would."""
    import modal

    job = submit(provider, new_request())
    finish(provider, job)
    with fake.client() as client:
        board = modal.Dict.from_name(JOBS_DICT, client=client)
        assert board.get(claim_key(job.job_id)) == job.call_id
