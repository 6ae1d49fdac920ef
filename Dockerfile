# The controller's image: one static program and the public CAs.
#
#   docker build --tag metalform:0.1.0 .

FROM rust:1.95-alpine AS build
WORKDIR /src
# The manifest names the benches; cargo wants to see their files.
COPY Cargo.toml Cargo.lock ./
COPY benches benches
COPY src src
# This image builds for musl, linked statically. Function names stay for backtraces, line tables (most of the size) go.
RUN CARGO_PROFILE_RELEASE_STRIP=debuginfo cargo build --locked --release --bin metalform

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/metalform /metalform
COPY LICENSE /LICENSE
# There is no loader and no library here: this fails if the program wants one.
RUN ["/metalform", "--version"]
# By number, so that `runAsNonRoot` can tell.
USER 65532:65532
EXPOSE 9440
ENTRYPOINT ["/metalform"]
CMD ["controller"]
