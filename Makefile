# The front door. Each target first makes sure that the machine has what the build needs (Tools/setup).
PROMPT = a red circle on a blue background
SEED = 32

release := .build/release
# Tests are built with other flags; a folder of their own keeps both builds incremental. The example packages share a
# folder, so that the library is built once for all of them; a cached build manifest would be the other package's.
tests := .build/tests
examples := --scratch-path .build/examples --disable-build-manifest-caching
swift_files := Package.swift Sources Tools Tests Examples

# The prompt reaches the shell through the environment, unexpanded, so that quotes, $ and ` in it are only text.
unexport PROMPT SEED
export sd_prompt := $(value PROMPT)
export sd_seed := $(value SEED)

.PHONY: demo test bench format setup FORCE
.DELETE_ON_ERROR:

# Draws out.png with the model in Examples/shapes: make demo PROMPT="a yellow star on a black background" SEED=7
demo: .build/shapes.sdplan
	@$(release)/sd-run $< --prompt="$$sd_prompt" --seed="$$sd_seed" -o out.png
	@echo "The picture is $(CURDIR)/out.png"

# Format lint, documentation check, all tests, then the example packages. CUDA kernels are compiled by the NVRTC of a
# Python package, the same on every machine.
test: setup .build/nvrtc/requirements.txt
	swift format lint --strict --parallel --recursive $(swift_files)
	@Tools/operations | diff Documentation/Operations.md - >&2 || \
	  { echo "Documentation/Operations.md is not what Tools/operations makes: run make format" >&2; exit 1; }
	SD_CUDA_LIB_DIR="$$(echo "$$PWD"/.build/nvrtc/lib/python3*/site-packages/nvidia/cu13/lib)" \
	  swift test --disable-xctest -c release -Xswiftc -enable-testing --scratch-path $(tests)
	@set -e; for package in Examples/*/Package.swift; do \
	  echo "$${package%/*}:"; \
	  swift run -c release --package-path "$${package%/*}" $(examples); \
	done

# Times the components of Stable Diffusion 1.5 with random weights, in turns with its peers: half an hour. The first time it
# downloads these (several GB), compiles one of them, and takes 7 GB of disk for plans and 4 GB for the peers' models.
bench: .build/sd15-fp32.sdplan .build/sd15-bf16.sdplan .venv/requirements.txt
	$(release)/sd-bench $(filter %.sdplan,$^) --compare --peers ".venv/bin/python Tools/reference/peers.py"

# Formats the Swift files and makes Documentation/Operations.md from the op files.
format: setup
	swift format --in-place --parallel --recursive $(swift_files)
	Tools/operations > Documentation/Operations.md

setup:
	@Tools/setup

# Always asks swift build, but what depends on the tools is made again only when they changed.
$(release)/%: FORCE | setup
	swift build -c release

.build/shapes.sdplan: $(release)/sd-compile $(wildcard Examples/shapes/*.json Examples/shapes/*/*)
	$(release)/sd-compile Examples/shapes --precision fp32 -o $@

.build/sd15-%.sdplan: $(release)/sd-compile
	$(release)/sd-compile --arch sd15 --random-weights 0 --precision $* -o $@

# Python packages: those of the scripts in Tools/reference, and those of the tests. The copy of a list says that all of its
# packages are there.
.venv/requirements.txt: Tools/reference/requirements.txt
.build/nvrtc/requirements.txt: Tests/requirements.txt
.venv/requirements.txt .build/nvrtc/requirements.txt:
	@Tools/setup python3-venv
	python3 -m venv $(@D)
	$(@D)/bin/pip install --requirement $<
	cp $< $@
