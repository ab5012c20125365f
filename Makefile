# The short way to everything. `make run` and `make test` are all a newcomer needs.
CCACHE := $(shell command -v ccache)
export CCACHE_SLOPPINESS = time_macros
JOBS   ?= $(shell nproc)
NINJA   = ninja -j$(JOBS)
# A meson.build in a new folder is looked for anew when it is younger than the build.
FRESH   = if [ -n "$$(find src tests fuzz bench -name meson.build -newer $(1)/build.ninja | head -1)" ]; then meson setup --reconfigure $(1) >/dev/null; touch $(1)/build.ninja; fi
SETUP   = $(if $(CCACHE),CC="ccache $(1)",CC=$(1)) meson setup

.PHONY: run build test deps deps-test ui build-asan build-tsan build-fuzz fuzz bench fmt lint clean

run: build
	./build/pharos serve --data data

deps:
	@tools/install-deps

ui: deps
	@tools/build-ui

build: deps ui
	@test -f build/build.ninja || $(call SETUP,gcc) build --buildtype=release -Doptimization=2 -Ddebug=true -Dtests=false
	@$(call FRESH,build)
	@$(NINJA) -C build

# Sanitized build of all rooms and their unit tests; what one works with day to day.
build-asan:
	@test -f build-asan/build.ninja || $(call SETUP,gcc) build-asan --buildtype=debugoptimized \
		-Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false
	@$(call FRESH,build-asan)
	@$(NINJA) -C build-asan

build-tsan:
	@test -f build-tsan/build.ninja || $(call SETUP,gcc) build-tsan --buildtype=debugoptimized \
		-Doptimization=1 -Db_sanitize=thread -Db_lundef=false
	@$(call FRESH,build-tsan)
	@$(NINJA) -C build-tsan

build-fuzz:
	@test -f build-fuzz/build.ninja || $(call SETUP,clang) build-fuzz --buildtype=debugoptimized \
		-Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true
	@$(call FRESH,build-fuzz)
	@$(NINJA) -C build-fuzz

deps-test:
	@tools/install-deps test

test: deps-test build build-asan build-tsan build-fuzz
	@tools/run_tests.py

# One target for a while: make fuzz TARGET=json SECONDS=60
fuzz: deps-test build-fuzz
	@tools/fuzz $(TARGET) $(SECONDS)

bench: build
	@bench/run

fmt:
	@git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'fuzz/*.[ch]' 'bench/*.[ch]' | xargs clang-format -i

lint:
	@tools/lint

clean:
	rm -rf build build-asan build-tsan build-fuzz ui/dist
