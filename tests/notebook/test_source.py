"""Code on a page is the code that runs, without its docstring."""

from amp_helpers.agent.losses import style_reward
from amp_helpers.notebook.source import code_of, show_code


def bare(value):
    return value  # no docstring


def test_a_docstring_is_left_out_and_everything_else_stays():
    code = code_of(style_reward)
    assert code.startswith("def style_reward(") and '"""' not in code and "equation" not in code
    namespace = {"torch": __import__("torch")}
    exec(code, namespace)
    logits = namespace["torch"].linspace(-3, 3, 7)[:, None]
    for loss in ("lsgan", "bce"):
        assert (namespace["style_reward"](logits, loss) == style_reward(logits, loss)).all()


def test_code_without_a_docstring_is_unchanged():
    assert code_of(bare) == "def bare(value):\n    return value  # no docstring"
    assert show_code(bare, bare).data.count("def bare") == 2
