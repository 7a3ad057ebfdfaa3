"""Runs a module's tests and prints what Go's test binaries print: one reader for all suites."""

import sys
import unittest


class Result(unittest.TestResult):
    """Prints each test as a subtest of the one that has the module's name."""

    def __init__(self, module):
        super().__init__()
        self.module = module.removesuffix("_test")

    def line(self, result, test, said=""):
        name = f"{self.module}/{test.id().split('.')[-1].removeprefix('test_')}"
        print(f"=== RUN   {name}")
        for line in said.splitlines():
            print("    " + line)
        print(f"--- {result}: {name} (0.00s)", flush=True)

    def addSuccess(self, test):
        self.line("PASS", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line("FAIL", test, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.line("FAIL", test, self.errors[-1][1])

    def addSkip(self, test, reason):
        self.line("SKIP", test, reason)


def main(module):
    result = Result(module)
    unittest.defaultTestLoader.loadTestsFromName(module).run(result)
    passed = result.wasSuccessful() and result.testsRun > 0
    print(f"--- {'PASS' if passed else 'FAIL'}: {result.module} (0.00s)")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
