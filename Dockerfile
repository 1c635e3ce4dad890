# A static binary, with its time zones inside, in an image that holds nothing
# else but CA certificates, for a user without a name.
ARG GO_VERSION=1.26

FROM golang:${GO_VERSION} AS build
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
LABEL org.opencontainers.image.title="statefleet" \
      org.opencontainers.image.description="Kubernetes object state as Prometheus metrics, from a fleet of shards" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /statefleet /statefleet
USER 65534:65534
EXPOSE 8080 8081
ENTRYPOINT ["/statefleet"]
