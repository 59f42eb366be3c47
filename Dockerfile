# syntax=docker/dockerfile:1
# The exporter in a small image: the binary on distroless, not root, with the CA roots that the base brings.
# Linted, and not built where this was written: there was no container engine.
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
# Dependencies first, so that they are built anew only when they change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
    && cargo build --release --locked \
    && rm -rf src
COPY src ./src
RUN touch src/main.rs src/lib.rs && cargo build --release --locked

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/cloudspend-exporter /usr/local/bin/cloudspend-exporter
EXPOSE 10190
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/cloudspend-exporter"]
CMD ["--config.file", "/etc/cloudspend-exporter/cloudspend.yml"]
