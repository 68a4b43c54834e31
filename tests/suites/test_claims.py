"""Claims of a suite's own, how many seeds decide, which weights are kept: what may stand in a file, and that no run changes by it."""

from pathlib import Path

import pytest

from pixelbench.errors import UserError
from pixelbench.suites.ablation import load_ablation, on_task
from pixelbench.suites.load import load_suite
from pixelbench.suites.schema import Claim
from pixelbench.suites.specs import specs_of
from tests.support.suite_file import TEXT, write_suite

pytestmark = pytest.mark.quick

CLAIM = """
[[claim]]
task = "digits"
variant = "gated-pixelcnn"
value = 1.90
unit = "bits/dim"
source = "Table 3"
"""
_PHOTOS = '[[task]]\nname = "photos"\n[[variant]]\nname = "there"\nfamily = "histogram"\ntasks = ["photos"]\n'


def claims_of(folder: Path, text: str) -> tuple[Claim, ...]:
    return load_suite(write_suite(folder, text)).claims


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        load_suite(write_suite(folder, text))
    return str(caught.value)


def test_a_claim_is_read_as_it_is_written(tmp_path: Path) -> None:
    assert claims_of(tmp_path, TEXT) == ()
    assert claims_of(tmp_path, TEXT + CLAIM) == (Claim("digits", "gated-pixelcnn", 1.9, "bits/dim", "Table 3", None, "1.90"),)
    more = CLAIM.replace("bits/dim", "nats/image").replace("Table 3", "Table 4") + "tolerance = 1\n"
    first, second = claims_of(tmp_path, TEXT + CLAIM + more)
    assert (first.unit, second.unit, second.tolerance) == ("bits/dim", "nats/image", 1.0)


@pytest.mark.parametrize(
    ("written", "printed"),
    [("1.90", "1.90"), ("1.9", "1.9"), ("2", "2"), ("81_000.50", "81000.50"), ("1.5e2", "150"), ("0", "0"), ("+3.0", "3.0")],
)
def test_a_claim_has_the_digits_that_the_file_has(tmp_path: Path, written: str, printed: str) -> None:
    (claim,) = claims_of(tmp_path, TEXT + CLAIM.replace("1.90", written))
    assert claim.printed == printed
    assert claim.value == float(printed)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"digits"', '"digit"', "claim.digit/gated-pixelcnn.task: Unknown task of this suite 'digit'. Did you mean 'digits'?"),
        ('"digits"', '"mnist"', "claim.mnist/gated-pixelcnn.task: Unknown task of this suite 'mnist'."),
        ('"gated-pixelcnn"', '"gate"', "claim.digits/gate.variant: Unknown variant of this suite 'gate'. Did you mean 'gated-pixelcnn'?"),
        ('"gated-pixelcnn"', '"there"', "claim.digits/there: variant 'there' is not on that task; it is on photos."),
        ("bits/dim", "bit/dim", "unit: expected 'bits/dim' or 'nats/image', got 'bit/dim'; did you mean 'bits/dim'?"),
        ("bits/dim", "nats/dim", "claim.digits/gated-pixelcnn.unit: expected 'bits/dim' or 'nats/image', got 'nats/dim'"),
        ("1.90", "nan", "claim.digits/gated-pixelcnn.value: expected a finite number, got nan"),
        ("1.90", "1e999", "claim.digits/gated-pixelcnn.value: expected a finite number, got inf"),
        ("1.90", "-0.1", "claim.digits/gated-pixelcnn: value must be at least 0, got -0.1"),
        ("1.90", '"1.90"', 'claim.digits/gated-pixelcnn.value: expected a number, got "1.90"'),
        ("1.90", "true", "claim.digits/gated-pixelcnn.value: expected a number, got true"),
        ("value = 1.90", "", "claim.digits/gated-pixelcnn.value: is missing"),
        ('source = "Table 3"', "", "claim.digits/gated-pixelcnn.source: is missing"),
        ("Table 3", " ", "claim.digits/gated-pixelcnn: source must say where the value stands, and is empty"),
        ('"Table 3"', "3", "claim.digits/gated-pixelcnn.source: expected a text in quotes, got 3"),
        ('"Table 3"', '"Table 3"\ntolerance = 0', "claim.digits/gated-pixelcnn: tolerance must be above 0, got 0"),
        ('"Table 3"', '"Table 3"\ntolerance = inf', "claim.digits/gated-pixelcnn.tolerance: expected a finite number, got inf"),
        ('"Table 3"', '"Table 3"\ntolerence = 1', "claim.digits/gated-pixelcnn.tolerence: there is no such setting; did you mean 'tol"),
        ('"Table 3"', '"Table 3"\nprinted = "1.9"', "claim.digits/gated-pixelcnn.printed: there is no such setting"),
        ('"Table 3"\n', '"Table 3"\n' + CLAIM, "claim.digits/gated-pixelcnn: there are two of this source"),
        ('variant = "gated-pixelcnn"', "", "claim.[0].variant: is missing"),
    ],
)
def test_one_error_of_a_claim_is_one_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in CLAIM
    message = complaint(tmp_path, TEXT + _PHOTOS + CLAIM.replace(old, new, 1))
    assert said in message
    assert "has an error: " in message
    assert "\n" not in message


def test_a_claim_that_is_no_list_of_tables(tmp_path: Path) -> None:
    assert "claim: expected a list" in complaint(tmp_path, TEXT + CLAIM.replace("[[claim]]", "[claim]"))
    assert "claim.[0]: expected a table, got 3" in complaint(tmp_path, "claim = [3]\n" + TEXT)


def test_a_claim_is_about_what_an_axis_makes_of_a_variant(tmp_path: Path) -> None:
    text = TEXT + "[axes]\ngates = [true, false]\n"
    assert "variant: Unknown variant of this suite 'gated-pixelcnn'" in complaint(tmp_path, text + CLAIM)
    (claim,) = claims_of(tmp_path, text + CLAIM.replace("gated-pixelcnn", "gated-pixelcnn+gates=false"))
    assert claim.variant == "gated-pixelcnn+gates=false"


def test_claims_are_not_taken_over_by_a_suite_that_extends(tmp_path: Path) -> None:
    write_suite(tmp_path, "verdict_seeds = 5\nkeep_weights = true\n" + TEXT + CLAIM)
    child = tmp_path / "child.toml"
    child.write_text('name = "child"\nextends = "tiny.toml"\n')
    suite = load_suite(str(child))
    assert (suite.claims, suite.verdict_seeds, suite.keep_weights) == ((), 5, True)
    child.write_text('name = "child"\nextends = "tiny.toml"\n' + CLAIM.replace("1.90", "2.5"))
    assert [claim.value for claim in load_suite(str(child)).claims] == [2.5]


def test_an_ablation_on_one_task_keeps_the_claims_about_it_alone(tmp_path: Path) -> None:
    text = TEXT + '[[task]]\nname = "mnist-fixed"\n[ablation]\nquestion = "?"\nbaseline = "uniform"\ntask = "digits"\n'
    suite, ablation = load_ablation(write_suite(tmp_path, text + CLAIM + CLAIM.replace("digits", "mnist-fixed")))
    assert len(suite.claims) == 2
    for task, claimed in (("digits", ["digits"]), ("mnist-fixed", ["mnist-fixed"]), ("mnist", [])):
        assert [claim.task for claim in on_task(suite, ablation, task)[0].claims] == claimed


def test_seeds_of_a_verdict_and_weights_to_keep(tmp_path: Path) -> None:
    suite = load_suite(write_suite(tmp_path))
    assert [suite.verdict_seeds_of(variant) for variant in suite.variants] == [3, 3]
    assert [suite.keep_weights_of(variant) for variant in suite.variants] == [None, None]
    text = "verdict_seeds = 4\nkeep_weights = true\n" + TEXT
    suite = load_suite(write_suite(tmp_path, text + "verdict_seeds = 3\nkeep_weights = false\n"))
    assert [suite.verdict_seeds_of(variant) for variant in suite.variants] == [4, 3]
    assert [suite.keep_weights_of(variant) for variant in suite.variants] == [True, False]


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("verdict_seeds = 2", "", "verdict_seeds must be at least 3, since fewer give no interval to rely on, got 2"),
        ("verdict_seeds = 3.5", "", "verdict_seeds: expected a whole number, got 3.5"),
        ("keep_weights = 1", "", "keep_weights: expected true or false, got 1"),
        ("", "verdict_seeds = 0", "variant.gated-pixelcnn: verdict_seeds must be at least 3"),
        ("", 'keep_weights = "yes"', 'variant.gated-pixelcnn.keep_weights: expected true or false, got "yes"'),
    ],
)
def test_errors_in_them(tmp_path: Path, first: str, last: str, said: str) -> None:
    message = complaint(tmp_path, f"{first}\n{TEXT}{last}\n")
    assert said in message
    assert "has an error: " in message


def test_none_of_it_is_part_of_a_run(tmp_path: Path) -> None:
    plain = specs_of(load_suite(write_suite(tmp_path)))
    text = "verdict_seeds = 4\nkeep_weights = true\n" + TEXT + "verdict_seeds = 3\nkeep_weights = false\n" + CLAIM
    assert specs_of(load_suite(write_suite(tmp_path, text))) == plain


@pytest.mark.parametrize("seed", [2**63, 10**30, -(2**63) - 1])
def test_a_seed_that_no_table_can_hold_is_refused(tmp_path: Path, seed: int) -> None:
    message = complaint(tmp_path, TEXT.replace("seeds = [1, 2]", f"seeds = [{seed}]"))
    assert "seeds.[0]: expected a whole number of at most 64 bits, so below 2^63" in message


def test_the_largest_seed_and_numbers_elsewhere(tmp_path: Path) -> None:
    text = TEXT.replace("seeds = [1, 2]", f"seeds = [{2**63 - 1}]")
    assert [spec.seed for spec in specs_of(load_suite(write_suite(tmp_path, text)))] == [2**63 - 1] * 2
    said = complaint(tmp_path, TEXT.replace("updates = 10", f"updates = {10**30}"))
    assert "budget.cpu.updates: expected a whole number of at most 64 bits" in said
    assert "is not valid TOML: " in complaint(tmp_path, TEXT.replace("updates = 10", f"updates = 1{'0' * 5000}"))
    assert "is not valid TOML: " in complaint(tmp_path, TEXT.replace("updates = 10", f"updates = {'[' * 5000}{']' * 5000}"))
