# The image contains only a static binary, which embeds the time zones, and CA certificates. Its user has no name.
# "make image" builds the same image without Docker. A digest, which covers all architectures, pins the build image; the
# tag names its version.

FROM golang:1.26.8-bookworm@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d AS build
ARG VERSION=unknown
ARG REVISION=unknown
ARG DATE=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w \
      -X github.com/prometheus/common/version.Version=${VERSION} \
      -X github.com/prometheus/common/version.Revision=${REVISION} \
      -X github.com/prometheus/common/version.BuildDate=${DATE}" \
      -o /statefleet ./cmd/statefleet

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="statefleet" \
      org.opencontainers.image.description="Kubernetes object state as Prometheus metrics, from a fleet of shards" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/statefleet/statefleet" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /statefleet /statefleet
USER 65534:65534
EXPOSE 8080 8081
ENTRYPOINT ["/statefleet"]
