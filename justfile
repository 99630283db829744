# The table of contents of daily work. `just` alone lists it.

# The program as it ships, and tests of it, one after the other, which tell what they measure
ships_as := justfile_directory() / "target/release/roster"
as_it_ships := "ROSTER_TEST_BINARY=" + quote(ships_as) + \
    " cargo test --release --locked -p roster-tests --test roster -- --nocapture --test-threads 1"

# List the recipes
default:
    @just --list --unsorted

# Serve on an SQLite file; arguments go to the program: `just run --listen 127.0.0.1:9000`
run *ARGS:
    cargo run --locked -- {{ ARGS }}

# Test everything, PostgreSQL included; arguments choose tests: `just test users::create`
test *ARGS:
    cargo test --workspace --locked -- {{ ARGS }}

# Hold formatting, lints, docs, and the rules of dependencies
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
    .ci/deny

# Mend formatting, and what lints can mend by themselves
fix:
    cargo fmt --all
    cargo clippy --workspace --all-targets --all-features --fix --allow-dirty --allow-staged

# All that a change must pass
ci: check test package

# What takes longer, too: the same tests again and again, so that a flake is seen
ci-full: ci outside test-bulk test-docs fuzz-api image figures fuzz-parsers overload slow-clients
    for round in 1 2 3 4 5 6 7 8 9 10; do just test; done
    just kill 60
    just stops 50
    just resets 10000

# Hold waits and recoveries of what ships to their figures, with nothing beside them: else tests give them thrice the time
figures: ships
    for tests in resilience:: limits::slow program::stops directory::service; do \
        ROSTER_TEST_ALONE=1 ROSTER_TEST_BINARY={{ quote(ships_as) }} cargo test --locked -p roster-tests --test roster -- $tests --nocapture --test-threads 1 || exit 1; \
    done

# Kill the service, the broker and the relay so often, under load, and count what is lost
kill times="60": (endure "resilience::crash" times) (endure "resilience::outage" times) (endure "nats::load" times)

# Stop the service so often, under load, and count the requests that are not answered
stops times="1000": (endure "program::stops" times)

# Have so many clients go away amid their requests, and look for what they leave half done
resets times="10000": (endure "resilience::disconnect" times)

# Ask a release build for up to five times of what it can do, for so many seconds each, and tell how it bears that
overload seconds="10" places="1024": ships
    ROSTER_TEST_OVERLOAD={{ seconds }} ROSTER_TEST_PLACES={{ places }} {{ as_it_ships }} limits::overload

# Let so many clients be slow to send and to read, and tell what others see of it
slow-clients attackers="1000": ships
    ROSTER_TEST_ATTACKERS={{ attackers }} {{ as_it_ships }} limits::slow::clients

# Measure the service, on both databases, and tell it as a table: `just bench --users 1000000`, `just bench get page`
bench *ARGS: ships
    cargo bench --locked -p roster-tests --bench service -- service {{ ARGS }}

# Time what a request computes, apart from whom it asks: `just bench-parts cursor`
bench-parts *ARGS:
    RUSTFLAGS="--cfg measuring" cargo run --release --locked --manifest-path tests/bench-parts/Cargo.toml -- --bench {{ ARGS }}

# Count the instructions of some requests by valgrind, and hold them to what is recorded; `just count --record` records them
count *ARGS: ships
    cargo test --workspace --locked --bench service -- count {{ ARGS }}

# Import and export a million users, and hold the memory that it takes to 64 MiB
test-bulk:
    ROSTER_TEST_BULK_USERS=1000000 cargo test --workspace --locked -- bulk::memory

# Open the API's page in a real Chromium (Debian's chromium and chromium-driver), and send a request through it
test-docs:
    just test --include-ignored docs::browser

# Hold the server to its description with schemathesis, on both databases, by more data and from several seeds
fuzz-api examples="300" seeds="1,2,3,random":
    ROSTER_TEST_TIMES={{ examples }} ROSTER_FUZZ_SEEDS={{ seeds }} just test fuzz::

# Look for inputs that break what parsers promise, so many seconds each (cargo install cargo-fuzz --locked)
fuzz-parsers seconds="60":
    for target in cursor headers new_user ndjson csv cloudevent cassette; do \
        mkdir -p tests/fuzz-parsers/corpus/$target; \
        RUSTC_BOOTSTRAP=1 cargo fuzz run --dev --fuzz-dir tests/fuzz-parsers --sanitizer none $target \
            tests/fuzz-parsers/corpus/$target tests/fuzz-parsers/seeds/$target -- \
            -max_total_time={{ seconds }} -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 || exit 1; \
    done

# Build the image, start it with PostgreSQL and NATS, and ask it as a client would
image:
    tests/image

# Tell what the program is made of, and what its tests turn on in that: target/roster.cdx.json (cargo install cargo-cyclonedx --locked)
sbom:
    cargo cyclonedx --manifest-path crates/app/Cargo.toml --format json --spec-version 1.5
    mv crates/app/roster.cdx.json target/
    rm crates/*/*.cdx.json tests/*.cdx.json

# Pack the crates that others can use, as they would be published
package:
    cargo package --locked --allow-dirty -p roster-domain -p roster-cassette-macros -p roster-cassette

# Tell which changes of those crates need a new version, against a revision of git such as the last release (cargo-semver-checks)
semver baseline="main":
    RUSTC_BOOTSTRAP=1 cargo semver-checks --baseline-rev {{ baseline }} -p roster-domain -p roster-cassette

# Build on the crates as others do, from a workspace of its own: an adapter, held to the contract, and a job
outside:
    tests/outside/run

# Start PostgreSQL and NATS for development, and wait until they answer
up: (compose "run --rm ready")

# Stop them, and forget their data
down: (compose "down --volumes")

# The program as it ships, which is what is measured
[private]
ships:
    cargo build --release --locked -p roster

# What a test does a few times in every run, done so often, with what it counted
[private]
endure test times:
    ROSTER_TEST_TIMES={{ times }} cargo test --locked -p roster-tests --test roster -- {{ test }} --nocapture

# Docker's Compose is a part of Docker, or a program beside it
[private]
compose command:
    @docker_compose=$(docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose); \
    $docker_compose --project-name roster --file docker/compose.yaml {{ command }}
