// Package replica is one replica of the fleet: it follows the enabled kinds,
// renders the objects that its shard owns into the stores, and shows the
// stores as one page.
//
// A change of shard runs without a moment in which the page lacks anything.
// Objects that the replica gains are listed and held, but not served, while the
// old set is served on; once every kind has them, the stores change over, each
// at once. What it loses is set apart beforehand and dropped in that moment.
package replica
