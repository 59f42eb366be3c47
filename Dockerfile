# syntax=docker/dockerfile:1
# The exporter in a small image: one static binary on a base with CA roots, not root, read-only but for its state.
# docs/install.md says what of it was built and run.
#
#     docker build --build-arg CLOUDSPEND_REVISION="$(git rev-parse HEAD)" --tag cloudspend-exporter .
#     docker run --read-only --cap-drop=ALL --security-opt=no-new-privileges -p 10190:10190 \
#         -v ./cloudspend.yml:/etc/cloudspend-exporter/cloudspend.yml:ro -v ./secrets:/run/secrets:ro \
#         -v cloudspend:/var/lib/cloudspend-exporter cloudspend-exporter
#     docker run --rm --read-only --tmpfs /tmp -p 127.0.0.1:10190:10190 cloudspend-exporter demo --web.listen-address=:10190
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
# Writes the list of dependencies into the binary, for scanners and the SBOM.
RUN cargo install --locked cargo-auditable@0.7.7
# Static, C library included. An explicit target keeps the flag away from build scripts and macros.
ENV RUSTFLAGS="-C target-feature=+crt-static"
# Dependencies first, so that they are rebuilt only when they change. Benchmarks are declared but not copied.
COPY Cargo.toml Cargo.lock ./
RUN sed -i '/^\[\[bench\]\]$/,/^$/d' Cargo.toml \
    && mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
    && cargo auditable build --release --locked --target "$(uname -m)-unknown-linux-gnu" \
    && rm -rf src
COPY build.rs ./
COPY src ./src
# The build context has no .git. Here and not above, so that another revision does not rebuild the dependencies.
ARG CLOUDSPEND_REVISION=""
RUN touch src/main.rs src/lib.rs \
    && cargo auditable build --release --locked --target "$(uname -m)-unknown-linux-gnu" \
    && mkdir -p /image/usr/local/bin /image/var/lib/cloudspend-exporter \
    && cp "target/$(uname -m)-unknown-linux-gnu/release/cloudspend-exporter" /image/usr/local/bin/ \
    && /image/usr/local/bin/cloudspend-exporter --version

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /image/usr/local/bin/cloudspend-exporter /usr/local/bin/cloudspend-exporter
# A new volume takes over the owner.
COPY --from=build --chown=65532:65532 /image/var/lib/cloudspend-exporter /var/lib/cloudspend-exporter
EXPOSE 10190
USER 65532:65532
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["/usr/local/bin/cloudspend-exporter", "health"]
ENTRYPOINT ["/usr/local/bin/cloudspend-exporter"]
CMD ["--config.file=/etc/cloudspend-exporter/cloudspend.yml", "--storage.path=/var/lib/cloudspend-exporter"]
