"""`pixelbench audit` on modules of every kind, each in the process that it is really checked in."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pixelbench.cli.main import main
from pixelbench.experiments.foreign import own_process
from tests.cli.cli_stores import Pixelbench, loaded_after, only_json
from tests.cli.misbehaving import MODULES

EXAMPLE = Path(__file__).parents[2] / "examples" / "audit" / "audit.toml"
AUDIT = """
title = "Odd <modules>"
[defaults]
shape = [1, 3, 4]
levels = 2
[[entry]]
name = "causal"
target = "odd.py:Causal"
source = "repository"
note = "commit 60d1ed0 | a"
[[entry]]
name = "leaky"
target = "odd.py:Leaky"
source = "repository"
[[entry]]
name = "package"
target = "net.parts:Net"
source = "repository"
expect = "leaky"
faults = ["sees-itself"]
[[entry]]
name = "beside"
target = "factories.py:net"
source = "repository"
expect = "leaky"
[[entry]]
name = "sampler"
target = "factories.py:scored"
source = "repository"
shape = [1, 1, 3]
sampler = "sample"
expect = "differs"
[[entry]]
name = "sums"
target = "factories.py:scored"
source = "repository"
shape = [1, 1, 3]
sums_to_one = true
expect = "normalised"
[[entry]]
name = "exits"
target = "odd.py:Exits"
source = "repository"
expect = "unchecked"
[[entry]]
name = "hangs"
target = "odd.py:Hangs"
source = "repository"
seconds = 0.5
[[entry]]
name = "fails"
target = "odd.py:PrintsAndFails"
source = "repository"
expect = "any"
[[entry]]
name = "no-folder"
target = "odd.py:Causal"
source = "elsewhere"
[[entry]]
name = "no-file"
target = "even.py:Causal"
source = "repository"
[[entry]]
name = "no-package"
target = "nowhere.parts:Net"
source = "repository"
"""
PART = """
from torch import nn
from net.size import OUTPUTS


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, OUTPUTS, 1)

    def forward(self, images):
        return self.conv(images.to(self.conv.weight.dtype))
"""
#: A factory beside the audit file, whose import and whose file are found in the source.
FACTORIES = """
def net():
    from net.parts import Net

    assert open("data.txt").read() == "data"
    return Net()


def scored():
    # Says that black and white are as likely, and draws white.
    import torch

    class Scored(torch.nn.Module):
        def log_prob(self, images):
            return torch.full((len(images),), -3 * torch.tensor(2.0).log())

        def sample(self, n):
            return torch.ones(n, 1, 1, 3)

    return Scored()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit file, and a folder of sources beside it."""
    folder = tmp_path_factory.mktemp("audit")
    (folder / "sources" / "repository" / "net").mkdir(parents=True)
    source = folder / "sources" / "repository"
    (source / "odd.py").write_text(MODULES)
    (source / "data.txt").write_text("data")
    (source / "net" / "parts.py").write_text(PART)
    (source / "net" / "size.py").write_text("OUTPUTS = 2\n")
    (folder / "factories.py").write_text(FACTORIES)
    (folder / "audit.toml").write_text(AUDIT)
    return folder


@pytest.fixture(scope="module")
def audited(folder: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code and entries of the whole audit, with all files that it writes."""
    with pytest.MonkeyPatch.context() as patch, (folder / "out.json").open("w") as out:
        patch.setattr(own_process, "GRACE", 1.0)
        patch.setattr(sys, "stdout", out)
        written = (
            "--markdown",
            str(folder / "audit.md"),
            "--html",
            str(folder / "audit.html"),
            "--certificates",
            str(folder / "certificates"),
        )
        with pytest.raises(SystemExit) as ended:
            main(["audit", str(folder / "audit.toml"), "--sources", str(folder / "sources"), "--workers", "2", "--json", *written])
    document = only_json((folder / "out.json").read_text())
    assert (document["schema"], document["title"]) == (1, "Odd <modules>")
    return int(ended.value.code or 0), {entry["name"]: entry for entry in document["entries"]}


@pytest.mark.slow
def test_every_entry_has_a_verdict_in_the_order_of_the_file(audited: tuple[int, dict[str, dict[str, Any]]]) -> None:
    code, entries = audited
    assert code == 1
    assert {name: entry["verdict"] for name, entry in entries.items()} == {
        "causal": "causal",
        "leaky": "leaky",
        "package": "leaky",
        "beside": "leaky",
        "sampler": "differs",
        "sums": "normalised",
        "exits": "unchecked",
        "hangs": "unchecked",
        "fails": "unchecked",
        "no-folder": "missing",
        "no-file": "missing",
        "no-package": "missing",
    }
    assert [name for name, entry in entries.items() if not entry["as_expected"]] == ["leaky", "hangs", "no-folder", "no-file", "no-package"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("causal", "No leak found (complete map"),
        ("leaky", "Not causal: input ("),
        ("sampler", "do not follow the module's own probabilities"),
        ("sums", "sum to 1: log_prob is a log-likelihood"),
        ("exits", "ended its process (exit code 0) while it was checked"),
        ("hangs", "did not end within the 0.5 s of --seconds"),
        ("fails", "no weights. Raised by odd.py"),
        ("no-folder", "There is no folder 'elsewhere' in '"),
        ("no-file", "There is no file 'even.py' beside the audit file or in 'repository'."),
        ("no-package", "There is no package 'nowhere' installed or in 'repository'."),
    ],
)
def test_what_is_found_is_one_sentence(audited: tuple[int, dict[str, dict[str, Any]]], name: str, said: str) -> None:
    assert said in audited[1][name]["sentence"]
    assert "\n" not in audited[1][name]["sentence"]


@pytest.mark.slow
def test_a_certificate_is_that_of_check_with_the_target_as_the_file_has_it(
    audited: tuple[int, dict[str, dict[str, Any]]], folder: Path
) -> None:
    (certificate,) = audited[1]["beside"]["certificates"]
    assert (certificate["schema"], certificate["target"], certificate["verdict"]) == (1, "factories.py:net", "leaky")
    assert json.loads((folder / "certificates" / "beside.json").read_text()) == audited[1]["beside"]
    assert len(list((folder / "certificates").iterdir())) == 12


@pytest.mark.slow
def test_what_a_module_printed_is_kept_where_it_could_not_be_checked(audited: tuple[int, dict[str, dict[str, Any]]]) -> None:
    assert "printed by Python" in audited[1]["fails"]["printed"]
    assert audited[1]["causal"]["printed"] == ""


@pytest.mark.slow
def test_the_markdown_has_a_row_for_each_and_the_certificates(audited: tuple[int, dict[str, dict[str, Any]]], folder: Path) -> None:
    text = (folder / "audit.md").read_text()
    assert text.startswith("# Odd &lt;modules&gt;\n\n12 modules: 7 as expected, 5 not; 3 are missing.\n")
    assert "| module | shape | verdict | finding | remark | as expected |" in text
    assert "commit 60d1ed0 \\| a" in text
    assert sum(line.startswith("| ") for line in text.splitlines()) == 14
    assert "## package\n\n```text\nnet.parts:Net (1x3x4, eval mode): Not causal" in text
    assert "| no: expected causal |" in text


@pytest.mark.slow
def test_the_page_has_them_too_and_escapes_what_it_is_given(audited: tuple[int, dict[str, dict[str, Any]]], folder: Path) -> None:
    text = (folder / "audit.html").read_text()
    assert "<h1>Odd &lt;modules&gt;</h1>" in text
    assert '<a href="#package">package</a>' in text
    assert '<section id="package">' in text
    assert "default-src 'none'" in text
    assert "<script" not in text


def test_the_table(folder: Path, pixelbench: Pixelbench) -> None:
    """As people see it, where all is as expected, and without the remarks that no entry has."""
    code, out, err = pixelbench("audit", str(folder / "audit.toml"), "--sources", str(folder / "sources"), "--only", "pack*")
    assert code == 0
    assert "1 module: 1 as expected." in out
    assert "package" in out
    assert "remark" not in out
    assert "1 of 1: package is leaky, " in err


@pytest.mark.slow
def test_missing_sources_are_a_failure_unless_they_may_be(folder: Path, pixelbench: Pixelbench) -> None:
    """By default the sources are beside the file."""
    assert pixelbench("audit", str(folder / "audit.toml"), "--only", "causal")[0] == 1
    code, out, _ = pixelbench("audit", str(folder / "audit.toml"), "--only", "causal", "--allow-missing")
    assert code == 3
    assert "–" in out
    arguments = ("--sources", str(folder / "sources"), "--only", "causal", "--only", "no-folder")
    assert pixelbench("audit", str(folder / "audit.toml"), *arguments)[0] == 1
    assert pixelbench("audit", str(folder / "audit.toml"), *arguments, "--allow-missing")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--only", "nothing"), 3, "--only nothing leaves no entry of"),
        (("--sources", "nowhere"), 2, "There is no folder 'nowhere'"),
        (("--markdown", "nowhere/audit.md"), 2, "--markdown 'nowhere/audit.md' must be a file in a folder that exists."),
        (("--html", "."), 2, "--html '.' must be a file in a folder that exists."),
        (("--workers", "0"), 2, "--workers"),
    ],
)
def test_wrong_use_is_said_before_anything_is_checked(
    folder: Path, pixelbench: Pixelbench, arguments: tuple[str, ...], code: int, said: str
) -> None:
    found, out, err = pixelbench("audit", str(folder / "audit.toml"), *arguments)
    assert (found, out) == (code, "")
    assert said in err


def test_errors_in_the_file_are_2(pixelbench: Pixelbench, tmp_path: Path) -> None:
    (tmp_path / "audit.toml").write_text('[[entry]]\nname = "a"\ntarget = "pixelcn"\nexpct = "leaky"\n')
    code, out, err = pixelbench("audit", "audit.toml")
    assert (code, out) == (2, "")
    assert "Did you mean 'pixelcnn'?" in err
    assert "did you mean 'expect'?" in err
    assert pixelbench("audit", "audits.toml")[0] == 2


@pytest.mark.slow
def test_the_shipped_example_is_as_it_expects(pixelbench: Pixelbench) -> None:
    code, out, err = pixelbench("audit", str(EXAMPLE), "--json")
    assert code == 0, err
    assert {entry["name"]: entry["verdict"] for entry in only_json(out)["entries"]} == {
        "rows-net": "causal",
        "rows-net-unshifted": "leaky",
        "masked-mlp": "causal",
    }


@pytest.mark.slow
def test_this_process_needs_no_torch(folder: Path) -> None:
    arguments = ["audit", str(folder / "audit.toml"), "--sources", str(folder / "sources"), "--only", "package"]
    assert loaded_after(arguments, ("torch",), folder) == "0 []"


@pytest.mark.slow
def test_an_audit_that_is_interrupted_leaves_no_process_behind(folder: Path, tmp_path: Path) -> None:
    """The mirror image of all others, which wait for their processes."""
    text = '[[entry]]\nname = "a"\ntarget = "odd.py:hangs"\nsource = "repository"\nshape = [1, 3, 4]\nseconds = 500\n'
    (folder / "hangs.toml").write_text(text)
    command = [sys.executable, "-c", "from pixelbench.cli.main import main; main()"]
    with subprocess.Popen([*command, "audit", str(folder / "hangs.toml"), "--sources", str(folder / "sources")]) as process:
        child = folder / "sources" / "repository" / "child"
        while not child.exists() or not child.read_text():
            time.sleep(0.05)
            assert process.poll() is None
        number = int(child.read_text())
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert not Path(f"/proc/{number}").exists()
