"""Files in place of a checkpoint: refused in one sentence within seconds; and what their numbers have to be."""

import collections
import io
import pickle
import time
import zipfile

import pytest

pytest.importorskip("torch", reason="torch comes with the sim extra")

import torch
from torch import nn

from amp_helpers.agent.checkpoint import check_fit, check_modules, load_checkpoint, load_parts, save_parts
from amp_helpers.errors import InputError


def saved(content) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def archive(text: bytes, members: dict[str, bytes] | None = None, packing: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as output:
        for name, content in {"data.pkl": text, "version": b"3\n", **(members or {})}.items():
            output.writestr(f"archive/{name}", content)
    return file.getvalue()


def doubled(first: bytes, pair: bytes, times: int) -> bytes:
    """A container of two mentions of a container of two mentions of ..."""
    steps = (pair.replace(b"?", bytes([index])) for index in range(times))
    return first + b"q\x00" + b"".join(steps)


NESTED_TUPLES = doubled(b")", b"h?h?\x86q", 0) + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(100))
SHARED_LISTS = b"]q\x00" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(100))


def large_view() -> object:
    return {"policy": {"weight": torch.zeros(1).expand(10**7)}}


FOREIGN = {
    "meta tensor": lambda: saved({"policy": {"a": torch.zeros(3, device="meta")}}),
    "sparse tensor": lambda: saved({"policy": {"a": torch.eye(3).to_sparse()}}),
    "compressed rows": lambda: saved({"policy": {"a": torch.eye(3).to_sparse_csr()}}),
    "quantized tensor": lambda: saved({"policy": {"a": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)}}),
    "complex tensor": lambda: saved({"policy": {"a": torch.zeros(3, dtype=torch.complex64)}}),
    "nested tensor": lambda: saved({"policy": {"a": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])}}),
    "view of more numbers than the file": lambda: saved(large_view()),
    "legacy format": lambda: _legacy(),
    "tuples as keys": lambda: archive(b"\x80\x02" + NESTED_TUPLES + b"}h\x64K\x01s."),
    "tuples in a set": lambda: archive(b"\x80\x02cbuiltins\nset\n" + NESTED_TUPLES + b"]h\x64a\x85R."),
    "tuples in an OrderedDict": lambda: archive(
        b"\x80\x02" + NESTED_TUPLES + b"ccollections\nOrderedDict\n]h\x64K\x01\x86a\x85R."
    ),
    "lists within lists": lambda: archive(b"\x80\x02" + SHARED_LISTS + b"."),
    "packed members": lambda: archive(pickle.dumps({}, 2), {"data/0": bytes(7 * 10**7)}, zipfile.ZIP_DEFLATED),
    "another archive": lambda: archive(b"", {"other": b""}),
    "class": lambda: archive(pickle.dumps(collections.Counter("aa"), 2)),
    "code": lambda: archive(b"cos\nsystem\n(S'touch executed'\ntR."),
    "memory of no type": lambda: archive(b"\x80\x02(U\x07storage]U\x010U\x03cpuK\x01tQ."),
    "a negative size": lambda: archive(
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01tQK\x00J\xff"
        b"\xff\xff\xff\x85K\x01\x85\x89}tR."
    ),
    "nothing": lambda: b"",
    "text": lambda: b"hello",
    "pickle": lambda: pickle.dumps({"policy": {}}),
}


def _legacy() -> bytes:
    file = io.BytesIO()
    torch.save({"policy": {"a": torch.zeros(3)}}, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_checkpoint_of_ordinary_tensors_is_one_sentence(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "policy.pt"
    file.write_bytes(FOREIGN[kind]())
    start = time.process_time()
    with pytest.raises(
        InputError, match=r"policy\.pt: is not a checkpoint of tensors \(.*written by training$"
    ) as error:
        load_checkpoint(file)
    assert time.process_time() - start < 5
    assert str(error.value).isprintable() and not (tmp_path / "executed").exists()


class Scaler(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("index", torch.arange(2))
        self.register_buffer("running_variance", torch.ones(2, dtype=torch.float64))


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("running_mean", torch.tensor([0, float("nan")]), "running_mean is NaN or infinite"),
        ("running_mean", torch.tensor([0, float("inf")]), "running_mean is NaN or infinite"),
        ("running_variance", torch.tensor([1.0, -1e-9]), "running_variance is a negative variance"),
        ("running_mean", torch.zeros(2, dtype=torch.int32), "is of type int32 in place of float64"),
        ("running_mean", torch.zeros(2, dtype=torch.bool), "is of type bool in place of float64"),
        ("index", torch.tensor([0, 2]), "index names columns that do not exist"),
        ("index", torch.tensor([0, -1]), "index names columns that do not exist"),
        ("running_mean", torch.zeros(3), r"running_mean is \(3,\) in the file and \(2,\) here"),
        ("running_mean", 3.0, "running_mean is absent in the file"),
        ("more", torch.zeros(2), r"more is \(2,\) in the file and absent here"),
        (("a", 1), torch.zeros(2), r"\('a', 1\) is \(2,\) in the file"),
    ],
)
def test_unusable_numbers_are_one_sentence(key, value, fault):
    state = Scaler().state_dict() | {key: value}
    with pytest.raises(InputError, match=fault):
        check_fit("policy.pt", "observation_preprocessor", Scaler(), state)


def test_a_missing_part_is_one_sentence():
    told = r"^policy\.pt: holds no policy; give a whole checkpoint written by training$"
    for state in ({}, {"policy": 3}, {"policy": torch.zeros(2)}):
        with pytest.raises(InputError, match=told):
            check_modules("policy.pt", {"policy": Scaler()}, state)


def test_all_that_a_whole_checkpoint_lacks_is_one_sentence(tmp_path):
    own = network_and_optimizer()
    torch.save({"network": 3}, tmp_path / "last.pt")
    with pytest.raises(InputError, match="holds no network, optimizer; give a whole checkpoint written by training"):
        load_parts(tmp_path / "last.pt", own)


def network_and_optimizer() -> dict:
    network = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return {"network": network, "optimizer": optimizer}


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.update(state={0: {"exp_avg": torch.zeros(7)}}),
        lambda state: state.update(state=[1]),
        lambda state: state.update(state={0: 3}),
        lambda state: state.update(param_groups=[]),
        lambda state: state.update(param_groups=3),
        lambda state: state["param_groups"][0].update(lr="fast"),
        lambda state: state["param_groups"][0].update(params=[0]),
        lambda state: state.pop("state"),
    ],
)
def test_an_optimizer_of_another_run_changes_nothing(tmp_path, damage):
    own = network_and_optimizer()
    save_parts(tmp_path / "last.pt", network_and_optimizer())
    content = torch.load(tmp_path / "last.pt", weights_only=True)
    damage(content["optimizer"])
    torch.save(content, tmp_path / "last.pt")
    before = own["network"].weight.clone()
    with pytest.raises(InputError, match=r"its optimizer (is not that|cannot be loaded)"):
        load_parts(tmp_path / "last.pt", own)
    assert torch.equal(own["network"].weight, before)
