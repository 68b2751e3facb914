"""An exercise: the direction of gravity from an IMU's quaternion, and answers that are nearly right."""

from collections.abc import Callable, Sequence

import numpy as np

from amp_helpers.errors import one_line
from amp_helpers.motion.rotations import normalize, rotate, rotate_inverse

_ORIENTATIONS = 50
_DOWN = np.array([0.0, 0.0, -1.0])
_NEARLY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "it points up; gravity points down": lambda quat: -rotate_inverse(quat, _DOWN),
    "it is the root's vertical axis in the world; rotate the world's into the root": lambda quat: rotate(quat, _DOWN),
    "the quaternion is read as xyzw, and it is wxyz": lambda quat: rotate_inverse(quat[[3, 0, 1, 2]], _DOWN),
}


def try_gravity(answer: Callable[[Sequence[float]], object]) -> str:
    """Try a function from the root's quaternion, wxyz, to the direction of gravity in its frame, (3,).

    Returns:
        A sentence: that it is right, which known mistake it makes, or a case in which it is wrong.
    """
    random = np.random.default_rng(0)
    quats = normalize(np.concatenate([[[0.0, 0.0, 0.0, 1.0]], random.normal(size=(_ORIENTATIONS - 1, 4))]))
    try:
        given = [answer(tuple(quat[[3, 0, 1, 2]].tolist())) for quat in quats]
        if given[0] is None:
            return "not written yet: it returns nothing"
        answers = np.array([np.asarray(value, float).reshape(3) for value in given])
    except Exception as error:  # a reader's own code may raise anything
        return f"wrong: {type(error).__name__}: {one_line(str(error), 80)}; return three numbers"
    right = rotate_inverse(quats, _DOWN)
    if np.allclose(answers, right, atol=1e-6):
        return f"right, in {_ORIENTATIONS} orientations"
    for reason, mistake in _NEARLY.items():
        if np.allclose(answers, [mistake(quat) for quat in quats], atol=1e-6):
            return f"wrong: {reason}"
    worst = int(np.abs(answers - right).max(axis=1).argmax())
    case = ", ".join(f"{value:.2f}" for value in quats[worst][[3, 0, 1, 2]])
    numbers = (", ".join(f"{value:.2f}" for value in row) for row in (answers[worst], right[worst]))
    return "wrong: for ({}) it gives ({}), and right is ({})".format(case, *numbers)
