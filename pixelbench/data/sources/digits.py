"""Task `digits`: 1,797 handwritten digits of 8x8 sub-pixels with 17 levels, split by writer.

The file is the test part of the UCI set "Optical Recognition of Handwritten Digits". Its labels repeat one sequence of 130 digits (a few
are missing here and there) fourteen times: fourteen filled-in forms, one after the other. Images of one form resemble each other far more
than images of two forms, and under a histogram the standard error over forms is over three times that over images. So a form is a
cluster, and whole forms go to a split. Test and train have the validation forms between them: since the source names thirteen writers,
one may have filled in two forms. (No form's nearest other form is nearly as near as the form is to itself; the two that resemble each
other most, the tenth and the eleventh, are both in train.)
"""

import numpy as np

from pixelbench.data.sources.installed import installed_file
from pixelbench.data.task import Split, Task, TaskData

#: The first image of each form, and the end.
FORMS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667, 1797)
TEST_FORMS = range(5)
VALIDATION_FORMS = range(5, 7)
TRAIN_FORMS = range(7, 14)


def build_digits() -> TaskData:
    """Read the table (64 values 0 … 16 and a label a line) from the installed scikit-learn."""
    table = np.loadtxt(installed_file("sklearn", "datasets/data/digits.csv.gz"), delimiter=",")
    images, labels = table[:, :64].astype(np.uint8).reshape(-1, 1, 8, 8), table[:, 64].astype(np.int64)
    return TaskData(
        train=_forms(images, labels, TRAIN_FORMS),
        validation=_forms(images, labels, VALIDATION_FORMS).interleaved(),
        test=_forms(images, labels, TEST_FORMS).interleaved(),
    )


def _forms(images: np.ndarray, labels: np.ndarray, forms: range) -> Split:
    part = slice(FORMS[forms[0]], FORMS[forms[-1] + 1])
    sizes = [FORMS[form + 1] - FORMS[form] for form in forms]
    return Split(images[part], np.repeat(np.array(forms, np.int64), sizes), labels[part])


DIGITS = Task(
    name="digits",
    title="Handwritten digits 8x8, 17 levels",
    channels=1,
    height=8,
    width=8,
    levels=17,
    digest="ed56e733481fc1bc8807ef6a046e422e261c1716d35224fd294873e86aaee6ef",
    preprocessing="None: each value counts the inked pixels, 0 to 16, of a 4x4 block of the scanned 32x32 bitmap.",
    split_rule=(
        "By handwriting: of the 14 filled-in forms in the file, the first 5 are test, the last 7 train and the 2 in between validation, "
        "so no form is in two splits and two forms lie between test and train; a form is a cluster."
    ),
    source=(
        "Optical Recognition of Handwritten Digits (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0), "
        "its test part as it ships inside scikit-learn."
    ),
    builder=build_digits,
    sizes=(891, 260, 646),
    pinned_with=(("scikit-learn", "1.9.1"),),
    classes=10,
)
