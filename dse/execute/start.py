"""Script that a worker process runs: it imports the `dse` in which this file lies.

That is the driver's, in a source folder or installed by pip, even if another `dse`
comes first in the search path.
"""

import importlib.util
import sys
from pathlib import Path

if __name__ == "__main__":
    package = Path(__file__).parents[1]
    spec = importlib.util.spec_from_file_location(
        "dse", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    assert spec is not None and spec.loader is not None
    sys.modules["dse"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["dse"])
    from dse.execute.worker import main

    main(int(sys.argv[1]), int(sys.argv[2]))
