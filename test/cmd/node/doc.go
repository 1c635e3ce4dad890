// Package node has no code. Its go.mod lists the programs of a Kubernetes node as tools, with their versions.
package node
