// Package shard says which replica of a fleet owns which Kubernetes object.
//
// The model has three steps.
//
//  1. An object's UID is hashed with FNV-1a to a point on a ring of 2^64 values ([Hash]). The API server
//     uses the same hash for its sharded list and watch (KEP-5866), so that a server that filters and a
//     client that filters agree, whichever of them does the work.
//  2. The ring is cut into half-open ranges, each owned by one ordinal ([Table]). The cuts follow from
//     the number of replicas alone: replicas that know the same N know the same table and need not talk.
//     Going from N to N+1, each replica hands one slice to the new one and nothing else moves.
//  3. A replica learns its place, "ordinal k of N" ([Assignment]), from flags ([Static]) or from the
//     StatefulSet that owns its pod ([Discovery]), and filters with [Ranges.Contains]. To let the server
//     filter too it sends [Ranges.Selector].
//
// Ranges, and not hash modulo N, because a selector can name them, and because sets of them can be
// compared: what a replica gains and loses in a change of N is a [Ranges.Difference] away.
//
// The table is a protocol. Replicas of different versions meet in every rollout and must cut alike, so a
// change to the cuts is a breaking change; a test pins them.
//
// Everything but [Discovery] and [Coordinator] is a pure function or an immutable value and safe for concurrent
// use.
package shard
