"""The documentation says what the code does: commands and options that there are, examples that run."""

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import pixelbench
from pixelbench.cli.main import app, main
from pixelbench.cli.reference import page
from pixelbench.suites.load import suite_names

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
COMMAND = re.compile(r"^(?:[A-Z_]+=\S+ )*pixelbench ((?!\.)\S.*)$", re.M)


def blocks(page: Path) -> list[str]:
    """The code of a page, block by block."""
    return re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.M | re.S)


def commands() -> list[str]:
    """Every command line in the documentation's code, without its comment."""
    lines = {line for page in PAGES if page.name != "commands.md" for block in blocks(page) for line in COMMAND.findall(block)}
    return sorted({line.split(" #")[0].strip() for line in lines})


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    said = "run `python -m pixelbench.cli.reference docs/commands.md`"
    assert (ROOT / "docs" / "commands.md").read_text() == page(), said


def test_the_page_has_every_command_with_its_options() -> None:
    text = page()
    for name in ("run", "check", "report", "verify", "sample"):
        assert f"\n## {name}\n" in text
    assert "| `--suite, -s TEXT` |" in text
    assert "--no-fetch" in text


@pytest.mark.parametrize("line", commands())
def test_a_documented_command_exists_with_its_options(line: str) -> None:
    name, *words = line.split()
    help_text = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"})
    assert help_text.exit_code == 0, line
    known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", help_text.stdout))
    assert {word for word in words if word.startswith("-")} <= known, line


def test_there_are_commands_to_look_at() -> None:
    assert len(commands()) > 25


#: Private words that the field has others for, see the glossary.
OLD_WORDS = re.compile(r"\b(faces?|row-and-step|anew|mend(s|ed)?|mistakes?|planted|strangers?|foremost|misfits?|companions?|hurry)\b", re.I)
#: Words of the preprocessing of `mnist-dynamic`, which enters the run keys.
KEPT = "of training images drawn anew at each use, of validation and test images"


def texts() -> list[Path]:
    """Everything that a user or a reader of the code reads, but for the history and the tests."""
    pages = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "reference/README.md")), *sorted((ROOT / "docs").glob("*.md"))]
    return pages + sorted(path for path in (ROOT / "pixelbench").rglob("*") if path.suffix in (".py", ".toml", ".j2", ".js"))


def test_old_words_are_not_used() -> None:
    found = {str(path.relative_to(ROOT)): OLD_WORDS.findall(path.read_text(encoding="utf-8").replace(KEPT, "")) for path in texts()}
    assert len(found) > 200
    assert {name: words for name, words in found.items() if words} == {}


def test_old_words_would_be_found() -> None:
    assert [bool(OLD_WORDS.search(text)) for text in ("two faces.", "Mend that first", "facecolor=", "amended", "planted_with")] == [
        *(True, True),
        *(False, False, False),
    ]


@pytest.mark.slow
def test_the_module_of_the_certificates_page_is_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, *_ = blocks(ROOT / "docs" / "causality.md")
    (tmp_path / "my_model.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    codes = []
    for name in ("make_model", "make_broken"):
        with pytest.raises(SystemExit) as ended:
            main(["check", f"my_model.py:{name}", "--shape", "1,8,7"])
        codes.append(ended.value.code)
    assert codes == [0, 1]
    assert "No leak found" in capsys.readouterr().out


@pytest.mark.slow
def test_the_audit_of_the_page_is_as_it_expects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_model.py").write_text(blocks(ROOT / "docs" / "causality.md")[0].replace("256", "4"))
    (tmp_path / "audit.toml").write_text(blocks(ROOT / "docs" / "audit.md")[0])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["audit", "audit.toml"])
    assert ended.value.code == 0


def test_the_workflow_of_the_page_is_one_that_github_reads() -> None:
    """It installs CPU wheels, runs pytest and the audit, in this order, each step with something to do."""
    (text,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "audit.md").read_text(), re.M | re.S)
    workflow = yaml.safe_load(text)
    assert set(workflow) == {"name", True, "jobs"}  # `on` is YAML for true
    (job,) = workflow["jobs"].values()
    assert all(("run" in step) != ("uses" in step) for step in job["steps"])
    runs = "\n".join(step["run"] for step in job["steps"] if "run" in step)
    positions = [runs.index(part) for part in ("whl/cpu", 'pip install "$PIXELBENCH"', "pytest\n", "pixelbench audit audit.toml")]
    assert positions == sorted(positions)


#: On PyPI the name is another project's.
FROM_THE_INDEX = re.compile(r"pip install (?:[^&#\n]* )?['\"]?pixelbench\b")


def test_nobody_is_sent_to_the_project_that_has_our_name_on_the_index() -> None:
    pages = [ROOT / "README.md", *PAGES, *sorted((ROOT / "examples").rglob("*.yml"))]
    assert [path.name for path in pages if FROM_THE_INDEX.search(path.read_text())] == []
    lines = (
        "pip install pixelbench",
        'pip install pytest "pixelbench[parquet]"',
        "pip install -e . && pixelbench run",
        'pip install "$PIXELBENCH"',
    )
    assert [bool(FROM_THE_INDEX.search(line)) for line in lines] == [True, True, False, False]


def test_types_are_for_users_too() -> None:
    assert (Path(pixelbench.__file__).parent / "py.typed").is_file()


def test_every_public_name_is_there() -> None:
    for name in pixelbench.__all__:
        assert getattr(pixelbench, name) is not None
    assert set(pixelbench.__all__) == set(pixelbench._HOME)


def test_every_public_name_is_on_the_page_of_the_api() -> None:
    documented = re.findall(r"^::: (?:\w+\.)+(\w+)$", (ROOT / "docs" / "api.md").read_text(), re.M)
    assert set(pixelbench.__all__) <= set(documented)


def test_the_guide_names_the_suites_that_ship() -> None:
    table = (ROOT / "docs" / "suites.md").read_text().split("## Suites that ship")[1].split("## ")[0]
    assert set(re.findall(r"`([a-z0-9-]+)`", table.replace("`pixelbench list ablations`", ""))) == set(suite_names())
