"""Reading and writing records: what is written comes back, and what was damaged, edited or made by a newer version is told apart."""

import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pixelbench.store.record import (
    Causality,
    Cost,
    Diagnosis,
    LatentUse,
    Likelihood,
    Provenance,
    Record,
    RecordedBudget,
    RunError,
    Samples,
    Variant,
)
from pixelbench.store.record_file import RecordError, read_record, state_of, write_record
from tests.support.record_factory import (
    add_run,
    as_schema_1,
    ask,
    folder_of,
    record_of,
    rewrite,
)

pytestmark = pytest.mark.quick

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_NUMBER = st.floats(0, 1e100, allow_nan=False)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_LIKELIHOODS = st.builds(
    Likelihood,
    bits_per_dim=_NUMBER,
    nats_per_image=_NUMBER,
    n_images=st.integers(1, 2**31 - 1),
    bits_per_dim_se=st.none() | _NUMBER,
    estimator=st.sampled_from(["exact", "elbo", "iwae-8", "code-length"]),
)
_RECORDS = st.builds(
    lambda spec, **fields: record_of(spec, **fields),
    st.builds(ask, st.sampled_from(["pixelcnn", "uniform", "png", "pixelvae"]), seed=st.integers(0, 2**63 - 1)),
    status=st.sampled_from(["done", "failed", "diverged", "timeout", "interrupted"]),
    likelihood=st.none() | _LIKELIHOODS,
    latent=st.none() | st.builds(LatentUse, _NUMBER, st.lists(_NUMBER, max_size=3).map(tuple), st.just(1), st.just(2), st.just({"a": 1})),
    samples=st.none() | st.builds(Samples, st.dictionaries(_TEXT, st.none() | _NUMBER, max_size=3)),
    diagnoses=st.lists(st.builds(Diagnosis, _TEXT, _TEXT), max_size=2).map(tuple),
    error=st.none() | st.builds(RunError, _TEXT, _TEXT, st.lists(_TEXT, max_size=2).map(tuple)),
    behaviour=st.none() | st.dictionaries(_TEXT, _JSON, max_size=3),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a genuine run."""
    return folder_of(tmp_path, add_run(tmp_path, "pixelcnn", 1.0))


def refusal(folder: Path) -> str:
    with pytest.raises(RecordError) as error:
        read_record(folder)
    return str(error.value)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=_RECORDS)
@example(record=record_of(ask("png"), diagnoses=(Diagnosis("line", "ends \x85 of \u2028 other kinds"),)))
def test_what_is_written_comes_back_and_is_written_as_before(tmp_path: Path, record: Record) -> None:
    write_record(tmp_path, record)
    written = (tmp_path / "record.json").read_bytes()
    again = read_record(tmp_path)
    assert again == record
    assert again.spec == record.spec
    write_record(tmp_path, again)
    assert (tmp_path / "record.json").read_bytes() == written


def test_the_digest_is_of_the_contents_and_stands_last(folder: Path) -> None:
    """So white space and order are free; a digest of text would not survive `jq`."""
    path, record = folder / "record.json", read_record(folder)
    document = json.loads(path.read_text())
    assert path.read_text().splitlines()[-2] == f' "sha256": "{record.digest}"'
    path.write_text(json.dumps(dict(reversed(document.items())), indent=7))
    assert read_record(folder) == record
    path.write_text(json.dumps({**document, "seed": document["seed"] + 1}))
    assert "its digest is not that of its contents" in refusal(folder)
    path.write_text(json.dumps({name: value for name, value in document.items() if name != "sha256"}))
    assert "its digest is not that of its contents" in refusal(folder)


@pytest.mark.parametrize("edit", [{"seed": 5}, {"cost": {"seconds": 1.0}}, {"sha256": "0" * 64}])
def test_nobody_escapes_the_digest_by_calling_a_record_older(folder: Path, edit: dict[str, Any]) -> None:
    path = folder / "record.json"
    document = {**json.loads(path.read_text()), **edit, "schema": 1}
    path.write_text(json.dumps(document))
    assert "its digest is not that of its contents" in refusal(folder)


def test_a_record_of_the_first_schema_needs_no_digest(folder: Path) -> None:
    as_schema_1(folder)
    assert read_record(folder).schema == 1


def test_one_flipped_bit_anywhere_in_a_record_is_found(folder: Path) -> None:
    path = folder / "record.json"
    whole = path.read_bytes()
    exponents = [found.start(1) for found in re.finditer(rb"\d(e)-\d", whole)]
    assert exponents
    for place in {*range(0, len(whole), 4), *exponents}:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << (5 if flipped[place] == ord("e") else place * 5 % 8)  # 1e-10 and 1E-10 are one bit apart
        path.write_bytes(flipped)
        with pytest.raises(RecordError):
            read_record(folder)
    path.write_bytes(whole)
    read_record(folder)


def test_a_field_of_a_later_version_is_no_damage(folder: Path) -> None:
    """It is covered by the digest, so nobody can slip one in; here it is written with a right one."""
    from pixelbench.store import record_file

    path, record = folder / "record.json", read_record(folder)
    document = {**json.loads(path.read_text()), "later": {"x": 1}}
    del document["sha256"]
    path.write_text(json.dumps({**document, "sha256": record_file.canonical_digest(document)}))
    assert read_record(folder) == record


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "fine"}, "'status' is 'fine'"),
        ({"seed": "0"}, "'seed' is '0'"),
        ({"seed": True}, "'seed' is True"),
        ({"seed": -1}, "'seed' is -1"),
        ({"seed": 2**63}, "9223372036854775808 is no number of a record"),
        ({"behaviour": {"deep": [{"er": -(2**63) - 1}]}}, "-9223372036854775809 is no number of a record"),
        ({"run_key": "../../x"}, "'run_key' is"),
        ({"causality": None}, "'causality' is None"),
        ({"causality": Causality("leeky")}, "'causality.status' is 'leeky'"),  # type: ignore[arg-type]
        ({"causality": Causality("complete", largest_leak=-1.0)}, "'causality.largest_leak' is -1.0"),
        ({"likelihood": Likelihood(-0.1, -50.0, 60)}, "'likelihood.bits_per_dim' is -0.1"),
        ({"likelihood": Likelihood(1.0, 500.0, 0)}, "'likelihood.n_images' is 0"),
        ({"likelihood": Likelihood(1.0, 500.0, 60, estimator="iwae-0")}, "'likelihood.estimator' is 'iwae-0'"),
        ({"likelihood": Likelihood("1.0", 500.0, 60)}, "'likelihood.bits_per_dim' is '1.0'"),  # type: ignore[arg-type]
        ({"cost": Cost(updates=2**53)}, "'cost.updates' is 9007199254740992"),
        ({"samples": Samples({"zeros": "x"})}, "'samples.statistics.zeros' is 'x'"),  # type: ignore[dict-item]
        ({"samples": Samples({}, canvas_agreement=1.5)}, "'samples.canvas_agreement' is 1.5"),
        ({"latent": LatentUse(1.0, ("1",), 1, 1)}, "'latent.kl_per_dimension.0' is '1'"),  # type: ignore[arg-type]
        ({"artifacts": {"nats.npz": "xyz"}}, "'artifacts.nats.npz' is 'xyz'"),
        ({"variant": Variant("a/b", "pixelcnn", 1, {})}, "'variant.name' is 'a/b'"),
        ({"budget": RecordedBudget("", 1)}, "'budget.name' is ''"),
        ({"provenance": Provenance(7)}, "'provenance.device' is 7"),  # type: ignore[arg-type]
        ({"provenance": Provenance("cpu", date="2026-02-31")}, "'provenance.date' is '2026-02-31'"),
        ({"provenance": Provenance("cpu", date="29.11.2026")}, "'provenance.date' is '29.11.2026'"),
        ({"likelihood": Likelihood(1e101, 1e104, 60)}, "'likelihood.bits_per_dim' is 1e+101"),  # whose squares no float holds
        ({"samples": Samples({"zeros": -1e200})}, "'samples.statistics.zeros' is -1e+200"),
        ({"latent": LatentUse(1.0, (1e308,), 1, 1)}, "'latent.kl_per_dimension.0' is 1e+308"),
        ({"cost": Cost(seconds=1e300)}, "'cost.seconds' is 1e+300"),
        ({"behaviour": {"numbers": [1.0]}}, "'behaviour' is {'numbers': [1.0]}: value error, its numbers must be lists"),
        ({"behaviour": {"numbers": {"likelihood": 1.0}}}, "its numbers must be lists of finite numbers"),
        ({"behaviour": {"numbers": {"likelihood": ["1.0"]}}}, "its numbers must be lists of finite numbers"),
    ],
)
def test_an_unsound_record_is_not_written(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    record = record_of(ask("pixelcnn"))
    with pytest.raises(ValueError, match=r"not a record: |is no number of a record") as error:
        write_record(tmp_path, replace(record, **change))
    assert said in str(error.value)
    assert not any(tmp_path.iterdir())


def test_what_is_odd_and_possible_is_written(tmp_path: Path) -> None:
    """A net that diverged needs any number of bits that float32 can say, and a fingerprint may lack what another version takes."""
    record = replace(
        record_of(ask("pixelcnn")),
        likelihood=Likelihood(1e38, 1e42, 60),
        provenance=Provenance("cpu", date="2028-02-29"),
        behaviour={"exact": {"order": [1]}, "numbers": {"likelihood": [1, -2.5], "none": []}},
    )
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_nan_in_a_record(tmp_path: Path, value: float) -> None:
    record = record_of(ask("pixelcnn"))
    with pytest.raises(ValueError, match="JSON"):
        write_record(tmp_path, replace(record, cost=Cost(seconds=value)))
    with pytest.raises(ValueError, match="JSON"):
        write_record(tmp_path, replace(record, behaviour={"deep": [{"er": value}]}))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["a link to itself", "a device without end", "a pipe"])
def test_what_is_no_file_is_named_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    if kind == "a pipe":
        os.mkfifo(tmp_path / "record.json")
    else:
        (tmp_path / "record.json").symlink_to("record.json" if kind == "a link to itself" else "/dev/zero")
    assert refusal(tmp_path).startswith(f"{tmp_path / 'record.json'} cannot be read (")


def test_a_record_may_be_a_link_to_a_file(folder: Path) -> None:
    (folder / "record.json").rename(folder / "elsewhere.json")
    (folder / "record.json").symlink_to("elsewhere.json")
    assert read_record(folder).status == "done"


DAMAGE = {
    "nothing": b"",
    "half": b'{"schema": 1, "run_key": "ab',
    "a list": b"[1, 2]",
    "null": b"null",
    "no text": b"\xff\xfe\x00",
    "depth": b"[" * 100_000,
    "NaN": b'{"schema": 1, "seed": NaN}',
    "beyond floats": b'{"schema": 1, "seed": 1e999}',
    "no schema": b'{"seed": 1}',
    "schema 0": b'{"schema": 0}',
    "schema true": b'{"schema": true}',
    "schema in words": b'{"schema": "2"}',
    "half of a pair": b'{"schema": 1, "status": "\\ud800"}',
    "an integer of 5000 digits": b'{"schema": 1, "seed": ' + b"9" * 5000 + b"}",
    "a schema that no float holds": b'{"schema": ' + b"9" * 400 + b"}",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_short_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "record.json").write_bytes(DAMAGE[name])
    said = refusal(tmp_path)
    assert said.startswith(str(tmp_path / "record.json"))
    assert said.endswith(".")
    assert len(said.removeprefix(str(tmp_path))) < 300
    assert said.isprintable()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"bits_per_dim": 1.0', '"bits_per_dim": 1' + "0" * 400, "is damaged (not JSON: 1000"),
        ('"test_images": 60', '"test_images": 9223372036854775808', "is damaged (not JSON: 9223372036854775808 is no number"),
        ('"bits_per_dim": 1.0', '"bits_per_dim": "one"', "'likelihood.bits_per_dim' is 'one'"),
        ('"seed": 0', '"seed": 0.5', "'seed' is 0.5"),
        ('"updates": 500', '"updates": -500', "'budget.updates' is -500"),
        ('"status": "done"', '"status": "\\u001b[2J"', r"'status' is '\x1b[2J'"),
        ('"optimiser": "adamw"', '"optimiser": "sgd"', "'recipe.optimiser' is 'sgd'"),
        ('"batch": 32', '"batch": 0', "'recipe' is"),
        ('"layers": 3', '"layers": 1e999', "is damaged"),  # in what is free to hold anything
        ('"layers": 3', '"layers": NaN', "is damaged"),
        ('"layers": 3', '"layers": "\\ud800"', "is damaged"),
        ('"zeros": 0.1', '"\\udfff": 0.1', "is damaged"),
        ('"width": 16', '"breadth": 16', "'task.width' is missing"),
    ],
)
def test_a_record_of_the_first_schema_is_held_to_the_same_types(folder: Path, old: str, new: str, said: str) -> None:
    """It has no digest, so types and ranges are all that stands between damage and a report."""
    as_schema_1(folder)
    path = folder / "record.json"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    assert said in refusal(folder)


def test_a_record_of_the_first_schema_is_read_as_what_it_was(tmp_path: Path) -> None:
    for variant, bits in (("pixelcnn", 1.0), ("uniform", 4.0), ("png", 1.7)):
        record = add_run(tmp_path, variant, bits)
        folder = folder_of(tmp_path, record)
        as_schema_1(folder)
        again = read_record(folder)
        assert again.schema == 1
        assert (again.request, again.behaviour, again.artifacts) == (None, None, {})
        assert again == replace(record, schema=1, request=None, artifacts={})
        assert again.spec.key == record.run_key == again.run_key


def test_a_record_from_before_latent_families_is_read(folder: Path) -> None:
    document = as_schema_1(folder)
    for name in ("latent", "error", "expect", "sequential"):
        del document[name]
    (folder / "record.json").write_text(json.dumps(document))
    record = read_record(folder)
    assert (record.latent, record.error, record.sequential, record.expect) == (None, None, None, "causal")


def test_what_was_read_of_the_first_schema_is_written_in_the_present_one(folder: Path) -> None:
    as_schema_1(folder)
    record = rewrite(folder, lambda record: record)
    assert json.loads((folder / "record.json").read_text())["schema"] == 2
    assert read_record(folder) == replace(record, schema=2)


@pytest.mark.parametrize(("schema", "said"), [((), "missing"), ((None,), "None"), ((0,), "0"), (("2",), "'2'"), ((True,), "True")])
def test_a_schema_that_is_not_there_is_told_from_one_that_is_none(folder: Path, schema: tuple[Any, ...], said: str) -> None:
    path = folder / "record.json"
    document = json.loads(path.read_text())
    del document["schema"]
    path.write_text(json.dumps(document | ({"schema": schema[0]} if schema else {})))
    with pytest.raises(RecordError, match=re.escape(f"is damaged ('schema' is {said});")):
        read_record(folder)


def test_a_newer_schema_is_said_clearly(folder: Path) -> None:
    (folder / "record.json").write_text(json.dumps({"schema": 3, "something": "else"}))
    with pytest.raises(RecordError, match=r"schema 3, newer than the 2 that this version knows; update PixelBench to read it\.$") as error:
        read_record(folder)
    assert error.value.newer


def test_a_file_that_no_record_is_as_large_as_is_not_read(folder: Path) -> None:
    with (folder / "record.json").open("wb") as file:
        file.truncate(9 << 20)
    assert "has more than 8 MB" in refusal(folder)


def test_the_state_of_a_folder(tmp_path: Path, folder: Path) -> None:
    record = read_record(folder)
    assert state_of(folder) == (record.digest, "done")
    assert state_of(tmp_path) == (None, None)
    rewrite(folder, lambda record: replace(record, status="timeout"))
    digest, status = state_of(folder)
    assert status == "timeout"
    assert digest != record.digest
    (folder / "record.json").write_text("{")
    assert state_of(folder) == ("damaged", None)
