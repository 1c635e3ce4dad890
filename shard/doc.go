// Package shard decides which replica of a fleet owns which Kubernetes object.
//
// The model has three steps.
//
//  1. An object's UID is hashed with FNV-1a to a point on a ring of 2^64 values ([Hash]). The API server
//     uses the same hash for its sharded list and watch (KEP-5866), so a filter in the server and a
//     filter in the client agree.
//  2. The ring is divided into half-open ranges, each owned by one ordinal ([Table]). The table depends
//     on the number of replicas alone: replicas that know the same N compute the same table without
//     communicating. Going from N to N+1, each replica gives one slice to the new one, and nothing else
//     moves.
//  3. A replica learns its place, "ordinal k of N" ([Assignment]), from flags ([Static]) or from package
//     fleet, and filters with [Ranges.Contains]. [Ranges.Selector] makes the server filter too.
//
// Ranges have two advantages over hash modulo N: a selector can name them, and sets of them can be
// compared. [Ranges.Difference] returns what a replica gains or loses when N changes.
//
// During a change of N, a [Plan] states by which table a replica serves and which table it prepares.
//
// The table is a protocol. Replicas of different versions work together during every rollout and
// must compute the same table, so a change of the table is a breaking change; a test pins it.
//
// Everything here is a pure function or an immutable value, and safe for concurrent use. The
// package imports no Kubernetes package; package fleet coordinates the replicas through the
// Kubernetes API.
package shard
