"""Explains failures inside the helpers of the domain tests as well as those in the tests themselves."""

import pytest

pytest.register_assert_rewrite("tests.domain.spec", "tests.domain.routes")
