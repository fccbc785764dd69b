"""The command line, as processes of their own."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from tests.facade.conftest import Run, clean_environment

from tiomagic.cli._logging import configure_logging
from tiomagic_domain.catalogue.families.doodle import SIDE

T2V = ("text-to-video", "a fox", "--provider", "fake")
VACE = "fake-wan2.1-vace-14b"


def png(folder: Path) -> str:
    """Return the path of a real picture."""
    from PIL import Image

    Image.new("RGB", (64, 48), "red").save(folder / "fox.png")
    return str(folder / "fox.png")


def test_the_path_of_the_video_is_the_data(cli: Run) -> None:
    """Stdout has one line, a path that exists; the rest is on stderr."""
    done = cli(*T2V, "--seed", "5", "--steps", "2", "--set", "flow_shift=4")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert Path(line).is_file()
    assert "denoising 3/3" in done.stderr
    settings = json.loads(Path(line).with_suffix(".json").read_text())["optional_args"]
    assert (settings["seed"], settings["num_inference_steps"]) == (5, 2)
    assert settings["flow_shift"] == 4.0


def test_json_is_one_document(shell: Run) -> None:
    """With ``--json`` stdout is a document and stderr is empty."""
    done = shell(*T2V, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["status"] == "completed"


def test_quiet_shows_no_progress(shell: Run) -> None:
    """``--quiet`` leaves the job's id and nothing that moves."""
    done = shell(*T2V, "-q")
    assert done.returncode == 0
    assert "denoising" not in done.stderr


@pytest.mark.parametrize(
    ("command", "inputs"),
    [
        ("image-to-video", ["--image"]),
        ("interpolate", ["--first-frame", "--last-frame"]),
        ("pose-guidance", ["--image", "--pose-video"]),
    ],
)
def test_pictures_are_given_as_files(
    shell: Run, folder: Path, command: str, inputs: list[str]
) -> None:
    """The other three features take their pictures and videos by option."""
    picture, video = png(folder), str(folder / "poses.mp4")
    make_real_video(Path(video))
    words = [w for name in inputs for w in (name, video if "video" in name else picture)]
    done = shell(command, "a fox", "-p", "fake", "-m", VACE, *words)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_file()


def make_real_video(path: Path) -> None:
    """Write five black frames."""
    import numpy as np

    from tiomagic_media.encode.mp4 import write_mp4

    write_mp4(path, np.zeros((5, 32, 32, 3), np.uint8), fps=8, recipe={})


def test_the_output_option_copies_the_video(shell: Run, folder: Path) -> None:
    """``-o`` names a file or a folder; the job keeps its own."""
    done = shell(*T2V, "-o", "fox.mp4")
    assert done.stdout.strip() == str(folder / "fox.mp4")
    assert (folder / "fox.mp4").is_file()
    (folder / "videos").mkdir()
    done = shell(*T2V, "-o", "videos")
    assert Path(done.stdout.strip()).parent == folder / "videos"
    assert len(list((folder / "output_videos").glob("*.mp4"))) == 2
    assert list(folder.glob(".fox*")) == []


def test_an_output_that_cannot_be_written_is_found_before(shell: Run, folder: Path) -> None:
    """Nothing runs when the place for the video is none."""
    done = shell(*T2V, "-o", "nowhere/fox.mp4")
    assert done.returncode == 3
    assert done.stderr.startswith("error: -o cannot be written: ")
    assert not (folder / ".tiomagic").exists()


def test_all_problems_are_listed_with_the_nearest_value(cli: Run, folder: Path) -> None:
    """One line a problem, exit code 3, no traceback, and no file."""
    wrong = ["--num-frames", "80", "--height", "500", "--seed", "nan", "--set", "stepps=5"]
    done = cli(*T2V, *wrong)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == "error: 4 problems:"
    assert "--num-frames must be of the form 4k+1 between 5 and 161, not 80; nearest: 81" in (
        done.stderr
    )
    assert "nearest: 496" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nonsense"], 2, "No such command"),
        (["text-to-video"], 2, "prompt"),
        ([*T2V, "--timeout", "soon"], 2, "timeout"),
        ([*T2V, "--num-frames", "-5"], 3, "nearest: 5"),
        ([*T2V, "--num-frames", "many"], 3, "not the text 'many'"),
        ([*T2V, "--set", "seed"], 3, "must be NAME=VALUE"),
        ([*T2V, "--seed", "1", "--set", "seed=2"], 3, "given twice"),
        ([*T2V, "-m", "fake-wan"], 3, "there is no model"),
        (["text-to-video", "a fox", "-p", "fak"], 3, "Did you mean 'fake'"),
        (["text-to-video", "  ", "-p", "fake"], 3, "PROMPT must say something"),
        ([*T2V, "--retry", "1"], 3, "--retry needs --detach"),
        ([*T2V, "--detach", "--retry", "-1"], 3, "0 or more"),
        (["image-to-video", "a", "-p", "fake", "-m", VACE, "--image", "no.png"], 3, "no.png"),
        (["status", "nothing"], 3, "there is no job 'nothing'"),
        (["cancel", "nothing"], 3, "there is no job 'nothing'"),
        (["jobs", "--status", "done"], 3, "--status must be one of"),
        (["schema", "wan2.1-t2v-14b", "poses"], 3, "there is no feature"),
        (["models", "--provider", "lokal"], 3, "Did you mean 'local'"),
        (["models", "--licence", "fre"], 3, "Did you mean 'free'"),
        (["inspect", "nothing.mp4"], 3, "there is no file"),
        (["rerun", "nothing"], 3, "there is no job"),
    ],
)
def test_each_mistake_has_its_code_and_its_message(
    shell: Run, words: list[str], code: int, says: str
) -> None:
    """A person sees what is wrong, a script sees which kind."""
    done = shell(*words)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("manner", "code", "says"),
    [("fails", 5, "the fake broke"), ("unauthorized", 4, "the token was refused")],
)
def test_failures_have_their_codes(shell: Run, manner: str, code: int, says: str) -> None:
    """A job that failed and a token that was refused are told apart."""
    done = shell(*T2V, FAKE=manner)
    assert done.returncode == code
    assert f"error: {says}" in done.stderr
    as_json = shell(*T2V, "--json", FAKE=manner)
    assert as_json.returncode == code
    assert json.loads(as_json.stderr)["message"] == says
    debug = shell(*T2V, "--debug", FAKE=manner)
    assert "Traceback" in debug.stderr


def test_a_failed_job_says_where_to_look(shell: Run) -> None:
    """The next step is in the message: the job's id and the command that shows it."""
    done = shell(*T2V, "-q", FAKE="fails")
    (error, step) = done.stderr.splitlines()
    assert error == "error: the fake broke"
    shown = shell(*step.removeprefix("the job is ").partition("tiomagic ")[2].split())
    assert shown.returncode == 0
    assert "failed" in shown.stdout


def test_a_remote_job_is_waited_for(shell: Run) -> None:
    """By default the command returns with the video of a remote job too."""
    done = shell(*T2V, FAKE="remote")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_file()


def test_no_wait_gives_the_id_and_timeout_ends_the_wait(cli: Run) -> None:
    """``--no-wait`` prints what ``status`` takes; ``--timeout`` has the code of timeout(1)."""
    job_id = cli(*T2V, "--no-wait", FAKE="remote").stdout.strip()
    jobs = json.loads(cli("jobs", "--json").stdout)
    assert [(job["job_id"], job["status"]) for job in jobs] == [(job_id, "queued")]
    done = cli(*T2V, "--timeout", "0", FAKE="endless")
    assert (done.returncode, done.stdout) == (124, "")
    assert "it goes on" in done.stderr


def test_ctrl_c_in_a_local_run_cancels_it(folder: Path, plugin_path: Path, cli: Run) -> None:
    """Exit code 130, and the job is stored as canceled."""
    run_and_interrupt(folder, plugin_path, "slow")
    (job,) = json.loads(cli("jobs", "--json").stdout)
    assert job["status"] == "canceled"


def test_ctrl_c_in_a_wait_leaves_the_job(folder: Path, plugin_path: Path, cli: Run) -> None:
    """Exit code 130, the job goes on, and its id is on stderr."""
    said = run_and_interrupt(folder, plugin_path, "endless")
    (job,) = json.loads(cli("jobs", "--json").stdout)
    assert job["status"] == "running"
    job_id = job["job_id"]
    assert (
        f"the job goes on: check the job {job_id} again [tiomagic status {job_id}], "
        f"or cancel the job {job_id} [tiomagic cancel {job_id}]"
    ) in said


def run_and_interrupt(folder: Path, plugin_path: Path, manner: str) -> str:
    """Run until the first sign of progress, press Ctrl-C, and return what was said."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tiomagic.cli.main", *T2V],
        cwd=folder,
        env=clean_environment(PYTHONPATH=str(plugin_path), FAKE=manner),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background of a shell would hand down that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(  # noqa: PLW1509 - no threads here
            signal.SIGINT, signal.default_int_handler
        ),
    )
    with process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "denoising" in line:
                process.send_signal(signal.SIGINT)
                break
        said += process.stderr.read()
        assert process.wait(60) == 130, said
    assert "Traceback" not in said
    return said


def test_cancel_says_the_outcome(shell: Run) -> None:
    """The status after asking is the data."""
    job_id = shell(*T2V, "--no-wait", FAKE="remote").stdout.strip()
    done = shell("cancel", job_id)
    # The run lived in the process that is gone: it was to stop, and it has.
    assert (done.returncode, done.stdout) == (0, "canceled\n")


def test_status_wait_ends_as_the_job_did(shell: Run) -> None:
    """Without ``--wait`` a look is a success; with it the code is the job's."""
    job_id = shell(*T2V, "--no-wait", FAKE="remote").stdout.strip()
    done = shell("status", job_id)
    assert done.returncode == 0
    assert "knows no run" in done.stdout
    assert shell("status", job_id, "--wait").returncode == 5


def test_a_canceled_job_has_its_own_code(shell: Run) -> None:
    """6 for a run that somebody stopped."""
    done = shell(*T2V, FAKE="stopped")
    assert (done.returncode, done.stdout) == (6, "")
    assert "was canceled" in done.stderr


def test_a_video_can_be_inspected_and_made_again(shell: Run) -> None:
    """``inspect`` shows the seed, ``rerun`` takes another one."""
    video = shell(*T2V, "--seed", "5").stdout.strip()
    beside = str(Path(video).with_suffix(".json"))
    assert re.search(r"^seed +5$", shell("inspect", beside).stdout, re.MULTILINE)
    assert json.loads(shell("inspect", beside, "--json").stdout)["optional_args"]["seed"] == 5
    assert shell("inspect", "@last").stdout == shell("inspect", video).stdout
    again = shell("rerun", beside, "--seed", "7").stdout.strip()
    assert again != video
    recipe = json.loads(Path(again).with_suffix(".json").read_text())
    assert recipe["optional_args"]["seed"] == 7


def test_tables_are_plain_in_a_pipe(shell: Run) -> None:
    """Columns are aligned with blanks, so that ``grep`` and ``awk`` see whole names."""
    models = shell(
        "models", "--feature", "text-to-video", "--provider", "local"
    ).stdout.splitlines()
    assert models[0].split() == [
        "model",
        "fits",
        "here",
        "GiB",
        "use",
        "GPU",
        "can",
        "do",
        "licence",
    ]
    assert any(line.startswith("wan2.1-t2v-14b ") for line in models)
    assert not any(line.startswith("fake-") for line in models)
    schema = shell("schema", "wan2.1-t2v-14b", "text-to-video").stdout
    assert "of the form 4k+1 between 5 and 161 frames" in schema
    assert "required" in schema
    assert "auto, resident" in schema


def test_models_show_and_filter_by_the_word_of_their_licence(shell: Run) -> None:
    """A column for it, a filter, and in JSON what to know before a video is published."""
    lines = shell("models", "--licence", "research").stdout.splitlines()
    assert " use " in lines[0]
    assert any(line.startswith("ltx-video ") and " research " in line for line in lines)
    assert not any(line.startswith("doodle ") for line in lines)
    (card,) = (
        card
        for card in json.loads(shell("models", "--licence", "limited", "--json").stdout)
        if card["name"] == "ltx-2"
    )
    assert card["use"] == "limited"
    assert "$10 million" in card["publishing"]


def test_models_of_a_vendor_have_prices_and_nothing_about_this_machine(shell: Run) -> None:
    """Their weights are not here, and never will be; what they cost needs no key."""
    done = shell("models", "--provider", "fal")
    assert done.stdout.splitlines()[0].split() == ["model", "price", "use", "can", "do", "licence"]
    assert "0.05 to 0.16 USD/s" in done.stdout
    assert "day of the price" in done.stderr
    (wan,) = [
        card
        for card in json.loads(shell("models", "--provider", "fal", "--json").stdout)
        if card["name"] == "fal-wan-motion"
    ]
    assert wan["price"] == "0.06 USD/s"
    assert "not known" in shell("models", "--provider", "luma").stdout


def test_models_are_chosen_by_the_memory_of_a_gpu(shell: Run) -> None:
    """A card that somebody has elsewhere, or thinks of buying."""
    lines = shell("models", "--gpu", "12").stdout.splitlines()
    names = {line.split()[0] for line in lines[1:]}
    assert {"doodle", "wan2.1-t2v-1.3b", "kandinsky5-lite"} <= names
    assert not names & {"wan2.1-t2v-14b", "wan2.2-ti2v-5b", "ltx-2"}


def test_json_of_models_and_schemas_is_for_machines(shell: Run) -> None:
    """The cards' facts, and JSON Schema."""
    (card,) = [
        card
        for card in json.loads(shell("models", "--json").stdout)
        if card["name"] == "wan2.1-t2v-14b"
    ]
    assert card["features"] == ["text_to_video"]
    schema = json.loads(shell("schema", "wan2.1-t2v-14b", "text-to-video", "--json").stdout)
    assert schema["required"] == ["prompt"]


def test_jobs_are_a_table_and_can_be_filtered(shell: Run) -> None:
    """The newest first, with the beginning of the prompt."""
    shell(*T2V)
    shell("text-to-video", "a bear", "-p", "fake")
    lines = shell("jobs").stdout.splitlines()
    assert lines[0].startswith("job ")
    assert lines[1].endswith("a bear")
    assert len(shell("jobs", "--text", "FOX", "--limit", "5").stdout.splitlines()) == 2


def read_all(terminal: int) -> str:
    """Read what a terminal is written until the writer is gone: it holds a few kilobytes only."""
    parts = []
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:  # Linux says EIO when nobody has the other end open.
            part = b""
        if not part:
            return b"".join(parts).decode()
        parts.append(part)


def run_on_terminal(folder: Path, plugin_path: Path, columns: int, *words: str) -> list[str]:
    """Return the lines that a person sees in a terminal."""
    looks, writes = pty.openpty()
    environment = clean_environment(PYTHONPATH=str(plugin_path), COLUMNS=str(columns), TERM="xterm")
    command = [sys.executable, "-m", "tiomagic.cli.main", *words]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=writes) as process:
        os.close(writes)
        drawn = read_all(looks)
    os.close(looks)
    assert process.returncode == 0
    visible = re.sub(r"\x1b\[[0-9;]*m", "", drawn).splitlines()
    return [line.rstrip() for line in visible]


def test_on_a_terminal_a_table_fits(folder: Path, plugin_path: Path) -> None:
    """With a person in front the table is rich's, as wide as the terminal."""
    lines = run_on_terminal(folder, plugin_path, 100, "models")
    assert any("wan2.1-t2v-14b" in line for line in lines)
    assert max(len(line) for line in lines) <= 100


@pytest.mark.parametrize(
    ("width", "shown", "left_out"), [(80, "model", "feature"), (160, "feature", "never")]
)
def test_a_job_is_one_line_in_any_terminal(
    shell: Run, folder: Path, plugin_path: Path, width: int, shown: str, left_out: str
) -> None:
    """A narrow one does without columns; the id is short there, and long words are cut."""
    shell("text-to-video", "a fox " * 40, "-p", "fake", "-q")
    (job,) = json.loads(shell("jobs", "--json").stdout)
    head, row, *rest = run_on_terminal(folder, plugin_path, width, "jobs")
    assert row.startswith(f"{job['job_id'][:8]}  completed")
    assert shell("status", job["job_id"][:8]).stdout == shell("status", "@last").stdout
    assert "a fox" in row
    assert shown in head
    assert left_out not in head
    assert len(row) <= width
    assert not any(rest)


def test_help_has_the_exit_codes_and_writes_nothing(cli: Run, folder: Path) -> None:
    """Every command explains itself, and looking at it leaves no file."""
    done = cli("--help")
    assert done.returncode == 0
    for word in ("124 timeout", "130 Ctrl-C", "pose-guidance", "4 authentication"):
        assert word in done.stdout
    assert "--pose-video" in cli("pose-guidance", "--help").stdout
    assert cli("--version").stdout.startswith("tiomagic 2.")
    assert list(folder.iterdir()) == []


def test_events_are_json_lines_when_they_are_wanted(shell: Run) -> None:
    """``TIOMAGIC_LOG_LEVEL`` brings the events to stderr, one document a line."""
    done = shell(*T2V, "-q", "--json", TIOMAGIC_LOG_LEVEL="info")
    told = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert told == ["job.submitted", "job.started", "job.completed"]
    assert json.loads(done.stdout)["status"] == "completed"


def test_a_second_call_tells_its_events_once(shell: Run) -> None:
    """Two commands in one process: the second one's events come once, to its own stderr."""
    first = shell(*T2V, "-q", "--json", TIOMAGIC_LOG_LEVEL="info").stderr.splitlines()
    second = shell(*T2V, "-q", "--json", TIOMAGIC_LOG_LEVEL="info").stderr.splitlines()
    told = [json.loads(line)["event"] for line in second]
    assert told == [json.loads(line)["event"] for line in first]


def test_a_corrupt_database_is_one_message(shell: Run, folder: Path) -> None:
    """The path and the way out, and no traceback."""
    (folder / ".tiomagic").mkdir()
    (folder / ".tiomagic" / "jobs.db").write_bytes(b"no database" * 1000)
    done = shell("jobs")
    assert done.returncode == 3
    assert "jobs.db" in done.stderr
    assert "TIOMAGIC_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_state_folder_that_cannot_be_made_is_one_message(shell: Run, folder: Path) -> None:
    """As in a read-only working directory: named, with the setting that helps."""
    (folder / ".tiomagic").write_text("a file in its place")
    done = shell(*T2V)
    assert done.returncode == 3
    assert str(folder / ".tiomagic") in done.stderr
    assert "TIOMAGIC_DATABASE_URL" in done.stderr


def test_a_reader_that_stops_early_is_no_error(folder: Path, plugin_path: Path) -> None:
    """``tiomagic models | head -n 1`` ends without a traceback."""
    words = f"{sys.executable} -m tiomagic.cli.main models --json | head -c 1"
    done = subprocess.run(
        ["bash", "-c", words],
        cwd=folder,
        env=clean_environment(PYTHONPATH=str(plugin_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[", "")


def test_a_run_goes_on_when_nobody_reads_its_progress(folder: Path, plugin_path: Path) -> None:
    """``tiomagic text-to-video … 2>&1 | head -n 1`` makes the video all the same."""
    command = " ".join([sys.executable, "-m", "tiomagic.cli.main", *map(repr, T2V)])
    done = subprocess.run(
        ["bash", "-c", f"{command} 2>&1 | head -n 1"],
        cwd=folder,
        env=clean_environment(PYTHONPATH=str(plugin_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(done.stdout.splitlines()) == 1
    assert [json.loads(path.read_text()) for path in (folder / "output_videos").glob("*.json")]
    (job,) = json.loads((folder / "generation_log.json").read_text())["jobs"]
    assert job["status"] == "completed", job


@pytest.mark.torch
def test_what_was_made_otherwise_is_said_at_the_end(shell: Run) -> None:
    """The shipped model reads 32 tokens; who gave more hears it, and the path is still the data."""
    pytest.importorskip("torch")
    words = ("--provider", "local", "--steps", "1")
    done = shell("text-to-video", "a red star spins and " * 12, *words)
    assert done.returncode == 0, done.stderr
    assert "warning: the prompt has" in done.stderr
    assert Path(done.stdout.strip()).is_file()
    done = shell("text-to-video", "a red star spins", *words)
    assert "warning:" not in done.stderr


def test_a_marker_token_appears_nowhere(cli: Run, folder: Path) -> None:
    """A token that a failing provider repeats reaches no record, log, message or file."""
    secret = "hf_MARKERTOKEN"
    done = cli(*T2V, "--debug", FAKE="leaks", HF_TOKEN=secret, TIOMAGIC_LOG_LEVEL="debug")
    assert done.returncode == 5
    assert secret not in done.stdout + done.stderr
    assert secret not in cli("jobs", "--json").stdout
    for path in folder.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("words", "manner", "code"),
    [
        (["models"], "", 0),
        (["nonsense"], "", 2),
        ([*T2V, "--num-frames", "80"], "", 3),
        (list(T2V), "unauthorized", 4),
        (list(T2V), "fails", 5),
        (list(T2V), "stopped", 6),
    ],
)
def test_the_exit_codes_of_real_processes(
    cli: Run, words: list[str], manner: str, code: int
) -> None:
    """What ``--help`` documents is what a shell sees; 124 and 130 have their own tests."""
    done = cli(*words, FAKE=manner)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_a_warning_of_python_has_no_path_of_the_source(
    shell: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said like any other warning, and once."""
    assert shell("models", "--json").returncode == 0
    with warnings.catch_warnings():
        configure_logging("warning")
        warnings.simplefilter("always")
        for _ in range(2):
            warnings.warn("gpu='X100' is not on the list", UserWarning, stacklevel=1)
    (said,) = capsys.readouterr().err.splitlines()
    assert json.loads(said) == {"event": "gpu='X100' is not on the list", "level": "warning"}


def test_a_schema_needs_no_feature(shell: Run) -> None:
    """The first one of the model is shown, and the others are named."""
    done = shell("schema", "doodle")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "for text-to-video; doodle also does: image-to-video, interpolate, pose-guidance"
    ]
    assert "and nothing else" not in done.stdout
    assert f"  {SIDE} px  " in done.stdout
    wrong = shell("text-to-video", "a", "-m", "doodle", "--width", "833")
    assert wrong.stderr == f"error: --width must be {SIDE}, not 833\n"
