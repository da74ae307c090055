"""From an instance to a certified ratio, step by step. Run it: python examples/walk_through.py"""

import tempfile
from pathlib import Path

from kvratio import Bound, Instance, bound, check, generate, run_suite, schedule
from kvratio.suite.read import load_suite

# 1. An instance: prompt and output tokens of each request, and a memory budget. All are there at once: a batch.
inst = Instance(prompt=[4, 0, 9, 1, 6, 2, 3], output=[3, 7, 1, 10, 2, 5, 6], memory=16, name="seven")
print(inst)

# 2. A schedule, and the independent judge.
by_volume = schedule(inst, "svf")
check(inst, by_volume)
print(by_volume, "starts", by_volume.start.tolist())

# 3. The optimum, enclosed from both sides, with certificates that can be saved and rechecked by another program.
found = bound(inst, "best", time_limit=20.0)
with tempfile.TemporaryDirectory() as folder:
    Bound.load(found.save(Path(folder) / "bound.json")).verify()
print(f"{found.lower} <= OPT <= {found.upper} ({found.status}, {found.grade})")

# 4. The ratio is an interval.
cost = by_volume.total_completion
print(f"ratio of svf in [{cost / found.upper:.3f}, {cost / found.lower:.3f}]")

# 5. Knowing less costs more: gsa knows no lengths at all and learns them by killing.
blind = schedule(inst, "gsa")
print(f"gsa: {blind.total_completion}, {blind.evictions} kills, {blind.wasted_token_rounds} token-rounds wasted")

# 6. An adversary. Whatever never kills pays on `blocker`; the instance answers the policy's own start.
bad = generate("blocker", memory=50, policy="svf")
flow = schedule(bad, "svf").total_flow
print(
    f"blocker: flow {flow}, a schedule with {bad.info['witness_cost']} exists: ratio at least {bad.info['ratio']:.2f}"
)

# 7. Many cells at once: a suite (here part of one), its table as a data frame, and a folder that holds everything.
suite = load_suite("smoke").narrowed(families=("uniform", "blocker"))
with tempfile.TemporaryDirectory() as folder:
    run = run_suite(suite, out=Path(folder) / "run", workers=1, progress=False)
    worst = run.table().groupby(["family", "policy"], sort=False)[["ratio_low", "ratio_high"]].max()
print(worst.round(3).to_string())
