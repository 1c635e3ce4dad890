// Package verify compares what is stored of a resource with lists of the API server.
//
// A watch that ends is opened again at the version that it has reached, and everything is listed
// again only when that is impossible. So an event that is lost leaves the store wrong forever. A
// Verifier lists the metadata of each resource from time to time, compares it with the store, and
// has the resource listed again if they differ.
//
// A difference may be an event on its way. So two comparisons, Options.Grace apart, have to find
// it. A second comparison also guards against one wrong answer.
//
// A list that is older than what was received before it was requested means that the API server
// was restored from a backup. Watches then bring nothing until the versions have come to where
// they were. All versions that are stored are forgotten then, and the other resources are verified
// at once.
package verify
