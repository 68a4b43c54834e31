"""`python -m tests.support.run_eager STORE`: two real runs at once, for the test that kills the whole group."""

import sys
from pathlib import Path

from pixelbench.experiments.plan import Plan, make_plan
from pixelbench.experiments.schedule.scheduler import run_plan
from pixelbench.suites.load import load_suite
from tests.support.eager_executor import NAME
from tests.support.suite_file import TEXT


def plan_in(store: Path) -> Plan:
    suite = store.parent / f"{store.name}.toml"
    text = TEXT.replace("updates = 10", "updates = 60").replace("[recipe]", "[recipe]\nema = 0.9\nbatch = 16")
    suite.write_text(text + '[[variant]]\nname = "pixelcnn"\nfamily = "pixelcnn"\n', encoding="utf-8")
    return make_plan(load_suite(str(suite)), store, seeds=[1])


if __name__ == "__main__":
    run_plan(plan_in(Path(sys.argv[1])), workers=2, executor=NAME)
