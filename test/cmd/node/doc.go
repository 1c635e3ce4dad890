// Package node has no code: go.mod names the programs of a Kubernetes node as tools, with their versions.
package node
