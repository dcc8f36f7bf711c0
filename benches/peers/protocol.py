"""What the Python sides share: the numbers of a workload, and answers to "start" and "time SECONDS"."""

import json
import os
import sys
import time


def limit_threads(threads):
    """Must run before any framework is loaded, since they look once."""
    if threads == 1:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)


def arguments():
    """Workload, task, rate, and the lists of arrays: parameters, data, direction."""
    name, task, path, threads = sys.argv[1:5]
    limit_threads(int(threads))
    import numpy

    kind, _, rate = task.partition(" ")
    with numpy.load(path) as file:
        arrays = {key: file[key] for key in sorted(file.files)}
    lists = [[a for key, a in arrays.items() if key[0] == letter] for letter in "pxv"]
    return name, kind, float(rate or 0), *lists


def serve(step, value, wait):
    """`step` does the work once; `value` is the number of its result, `wait` returns when the result is there."""
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "start":
            for _ in range(5):
                result = step()
                wait(result)
            print(json.dumps({"value": value(result)}), flush=True)
            continue
        end = time.perf_counter() + float(rest)
        each = []
        while not each or time.perf_counter() < end:
            start = time.perf_counter()
            wait(step())
            each.append((time.perf_counter() - start) * 1e6)
        each.sort()
        answer = {"median_us": each[len(each) // 2], "least_us": each[0], "runs": len(each)}
        print(json.dumps(answer), flush=True)
