"""Asks tools/verify.py about many bundles in one process, as its command line would be asked about each.

Each line of stdin holds the arguments of one call, as a JSON array; each line of stdout what came of it:
{"exit", "out", "errors"}. What a start costs (reading and compiling the program) is paid once.
"""

import contextlib
import importlib.util
import io
import json
import pathlib
import sys
import traceback

sys.dont_write_bytecode = True
# The name that its messages begin with.
sys.argv[0] = "verify.py"
program = pathlib.Path(__file__).resolve().parents[2] / "tools" / "verify.py"
spec = importlib.util.spec_from_file_location("verify", program)
verify = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verify)


def ask(arguments):
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            code = verify.main(arguments)
        except SystemExit as end:
            code = end.code
        except Exception:  # pylint: disable=broad-except
            # As the interpreter ends a program that raises.
            traceback.print_exc()
            code = 1
    return {"exit": code, "out": out.getvalue(), "errors": errors.getvalue()}


for line in sys.stdin:
    print(json.dumps(ask(json.loads(line))), flush=True)
