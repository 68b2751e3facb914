"""Settings of the agent out of their range are refused before anything is trained."""

from dataclasses import fields

import pytest

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.errors import InputError

NUMBERS = [field.name for field in fields(AmpAgentCfg) if isinstance(field.default, int | float)]


@pytest.mark.parametrize("name", [name for name in NUMBERS if name != "time_limit_bootstrap"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_no_setting_is_negative_infinite_or_nan(name, value):
    AmpAgentCfg().validate()
    with pytest.raises(InputError, match=rf"{name} is {value}; give|learning_rate"):
        AmpAgentCfg(**{name: value}).validate()
