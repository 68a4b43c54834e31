"""Files beside a record, damaged in every way that was seen or feared: kind → contents."""

import json

import numpy as np

from tests.support.certificate_factory import certificate, certificate_file
from tests.support.record_factory import nats_file

HEADER = b"update,train_bits_per_dim,validation_bits_per_dim\n"
CURVES = {
    "empty": b"",
    "no columns": b"0,1.0,\n",
    "other columns": HEADER.replace(b"train", b"test") + b"0,1.0,\n",
    "in words": HEADER + b"soon,,\n",
    "half a row": HEADER + b"0,1.0,1.0\n10,0.9",
    "too few fields": HEADER + b"0,1.0\n",
    "too many fields": HEADER + b"0,1.0,1.0,1.0\n",
    "an open quote": HEADER + b'0,"1.0,1.0\n',
    "updates that fall": HEADER + b"10,1.0,\n0,1.1,\n",
    "an update twice": HEADER + b"0,1.0,\n0,1.1,\n",
    "an update below 0": HEADER + b"-1,1.0,\n",
    "an update of no integer": HEADER + b"1.5,1.0,\n",
    "an update beyond all bounds": HEADER + b"9" * 5000 + b",1.0,\n",
    "nan": HEADER + b"0,nan,\n",
    "inf": HEADER + b"0,1.0,-inf\n",
    "1e999": HEADER + b"0,1e999,\n",
    "no text": HEADER + b"\xff,1.0,\n",
    "a null byte": HEADER + b"0,\x00,\n",
}
CERTIFICATES = {
    "empty": b"",
    "half": certificate_file(certificate())[:200],
    "a list": b"[]",
    "another schema": certificate_file(certificate()).replace(b'"schema": 1', b'"schema": 9'),
    "a field too few": json.dumps({name: value for name, value in certificate().to_json().items() if name != "shape"}).encode(),
    "a text for a number": certificate_file(certificate()).replace(b'"levels": 4', b'"levels": "4x"'),
    "half of a pair": certificate_file(certificate()).replace(b"made by hand", b"\\ud800").replace(b'"shape"', b'"shope"'),
    "depth": b"[" * 100_000,
    "an integer that no float holds": certificate_file(certificate(sees_itself=True)).replace(b"0.5", b"9" * 400),
}
GOOD = np.linspace(1, 2, 60).astype(np.float32), np.arange(60)
NATS_FILES = {
    "empty": b"",
    "no archive": b"no archive",
    "half": nats_file(*GOOD)[:300],
    "one array": nats_file(GOOD[0], GOOD[1]).replace(b"clusters", b"klusters"),
    "no image": nats_file(GOOD[0][:0], GOOD[1][:0]),
    "two dimensions": nats_file(GOOD[0][:, None], GOOD[1]),
    "other length": nats_file(GOOD[0], GOOD[1][:59]),
    "nan": nats_file(np.where(GOOD[1] == 3, np.float32("nan"), GOOD[0]), GOOD[1]),
    "inf": nats_file(np.where(GOOD[1] == 3, np.float32("inf"), GOOD[0]), GOOD[1]),
    "integers": nats_file(GOOD[0].astype(int), GOOD[1]),
    "clusters that are no integers": nats_file(GOOD[0], GOOD[1] + 0.5),
    "pickles": nats_file(GOOD[0].astype(object), GOOD[1]),
}
