"""Where the two engines differ, the shared comparison shows both sides, as an assertion in a test file does."""

import pytest

pytest.register_assert_rewrite("tests.sigma_engines")
