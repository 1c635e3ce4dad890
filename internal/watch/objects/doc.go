// Package objects watches single objects and small sets of objects, and keeps them decoded.
//
// A [Watcher] lists the objects, watches them, and lists them again whenever the watch has ended.
// For so few objects a list costs as little as it takes to resume a watch, and it also corrects
// events that were lost. Resources with many objects belong to package watch, which filters before
// it decodes.
//
// The mutex of a Watcher protects its state only. It is held neither during requests nor while
// Options.Changed runs, so no other lock is taken while it is held.
package objects
