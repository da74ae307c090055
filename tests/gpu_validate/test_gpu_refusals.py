"""What cannot run is refused before anything is loaded, in one line that says what to do."""

import subprocess
import sys

import pytest

from gpu_validate.faults import DoesNotFit, MissingLibrary, NoDevice, UnsupportedModel
from gpu_validate.need import Need, check_positions
from gpu_validate.shapes import SHAPES, shape, width
from kvratio.problem import Instance
from kvratio.problem.errors import BadParameter, UnknownName

BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError("blocked", name=name.partition(".")[0])
sys.meta_path.insert(0, Block())
sys.argv = ["kvratio"] + {arguments!r}
from kvratio.cli import main
main()
"""
VERBS = (
    ["gpu", "replay", "two_point:count=4,memory=40,prompt=2,short=2,long=4,share=0.5", "fcfs"],
    ["gpu", "calibrate"],
    ["gpu", "compare"],
    ["gpu", "all", "--out", "nowhere", "--preset", "tiny"],
)


def run_without(blocked, arguments, **options):
    """Run the command line in a process where some libraries are not installed."""
    text = BLOCK.format(blocked=set(blocked), arguments=list(arguments))
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120, **options)


@pytest.mark.parametrize("arguments", VERBS, ids=lambda words: words[1])
def test_without_torch(arguments, tmp_path):
    """Every verb says in one line what to install, and exits with 2."""
    done = run_without(["torch"], arguments)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == (
        "kvratio: torch is not installed, and a replay runs a real model: pip install 'kvratio[gpu]'"
    )


def test_core_does_not_import_torch():
    """Nothing of the core, and none of the planning here, imports torch or transformers."""
    text = (
        "import sys, kvratio.cli, kvratio.suite.run, algos, lowerbounds.best, instances.registry, stability.fluid, "
        "gpu_validate.study, gpu_validate.contest, gpu_validate.conduct, kvratio.suite.gpu.tables; "
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_too_large_is_refused_with_the_arithmetic():
    """131072 tokens of Llama-2-7B are 64 GiB of cache; 40 GiB do not hold them."""
    need = Need(SHAPES["llama-2-7b"], "bfloat16", 131072)
    assert need.cache == 64 * 1024**3
    with pytest.raises(DoesNotFit, match=r"131072 tokens x 524288 bytes .* = 64.00 GiB of cache.*but 40.00 GiB are"):
        need.check(40 * 1024**3, "cuda:0")
    need.check(140 * 1024**3, "cuda:0")


def test_replay_refuses_before_loading(monkeypatch):
    """A schedule that cannot fit is refused while no weight has been made."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from gpu_validate import weights
    from kvratio.problem import Schedule
    from kvratio.suite.gpu import single

    def loaded(*_):
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(weights.Source, "load", loaded)
    monkeypatch.setattr(single, "free_bytes", lambda device: 10**9)
    inst = Instance([4], [3], 10**6)
    with pytest.raises(DoesNotFit, match=r"but 0\.93 GiB are free"):
        single.replay_one(Schedule.from_starts(inst, [0]), random_weights="llama-3-8b", device="cpu")


def test_too_long_requests():
    """A request longer than the model reads is named."""
    with pytest.raises(DoesNotFit, match=r"request 1 has 4000 \+ 97 = 4097 tokens; llama-2-7b reads at most 4096"):
        check_positions(Instance([1, 4000], [1, 97], 5000), SHAPES["llama-2-7b"])


def test_wrong_names():
    """Shapes, dtypes and studies that do not exist are told with those that do."""
    from gpu_validate.study import study

    with pytest.raises(UnknownName, match="choose one of llama-2-7b, llama-3-8b, tiny"):
        shape("llama-9")
    with pytest.raises(BadParameter, match="choose one of bfloat16"):
        width("int3")
    with pytest.raises(UnknownName, match="choose one of full, tiny"):
        study("huge")


def test_wrong_devices():
    """A device that is not there, or not meant, is refused."""
    torch = pytest.importorskip("torch")
    from gpu_validate.device import open_device

    count = torch.cuda.device_count()
    with pytest.raises(NoDevice, match=f"cuda:{count + 3} is not there"):
        open_device(f"cuda:{count + 3}")
    with pytest.raises(BadParameter, match="give cpu, cuda"):
        open_device("toaster")
    with pytest.raises(BadParameter, match="runs on cpu or cuda"):
        open_device("meta")


def test_all_needs_cuda(tmp_path):
    """Without CUDA the whole command refuses at once, and names what works."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from gpu_validate.conduct import conduct
    from gpu_validate.study import FULL

    with pytest.raises(NoDevice, match="needs CUDA: add --preset tiny"):
        conduct(FULL, torch.device("cpu"), tmp_path, print)


def test_missing_weights(tmp_path):
    """A folder that is not there, and one without a model, are told with what to do."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from gpu_validate.weights import Source

    with pytest.raises(UnknownName, match="there is no such folder"):
        Source(model=str(tmp_path / "none"))
    with pytest.raises(UnknownName, match="give a local folder with weights, or --random-weights SHAPE"):
        Source(model=str(tmp_path))
    with pytest.raises(BadParameter, match="give either --model"):
        Source()


def test_local_folder(tmp_path):
    """A saved model is read from its folder: its shape before, its weights after."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tiny_model import CPU, model, source

    from gpu_validate.weights import Source

    model().save_pretrained(tmp_path)
    found = Source(model=str(tmp_path))
    assert (found.shape.layers, found.shape.kv_heads, found.shape.head_dim) == (2, 2, 16)
    assert found.shape.parameters == source().shape.parameters
    same = zip(found.load(CPU, "float32").parameters(), model().parameters(), strict=True)
    assert all(torch.equal(mine, theirs) for mine, theirs in same)


def test_models_that_do_not_see_everything(tmp_path):
    """A sliding window is refused: the replay would compute another model."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from gpu_validate.weights import Source

    transformers.MistralConfig(sliding_window=8).save_pretrained(tmp_path)
    with pytest.raises(UnsupportedModel, match="do not all attend to all earlier tokens"):
        Source(model=str(tmp_path))


def test_missing_library_is_one_of_ours():
    """The error is a kvratio error, so that the command line prints one line."""
    from kvratio.problem.errors import KvratioError

    assert issubclass(MissingLibrary, KvratioError)
