"""Runs one suite and closes with `N passed, N failed, N skipped`.

    python run.py redis_py [part of a test's name]
"""

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Result(unittest.TextTestResult):
    """Counts what passed, subtests included, each by itself."""

    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def main() -> int:
    suite, *patterns = sys.argv[1:]
    sys.path.insert(0, str(HERE))
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{pattern}*" for pattern in patterns] or None
    tests = loader.discover(str(HERE / suite), top_level_dir=str(HERE))
    result = unittest.TextTestRunner(resultclass=Result, verbosity=1, stream=sys.stdout).run(tests)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(f"{result.passed} passed, {failed} failed, {len(result.skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
