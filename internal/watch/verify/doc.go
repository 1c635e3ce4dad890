// Package verify compares the stored objects of a resource with lists of the API server.
//
// A watch that ends is opened again at the version that it has reached, and everything is listed
// again only when that is impossible. So an event that is lost leaves the store wrong forever. A
// Verifier lists the metadata of each resource from time to time, compares it with the store, and
// has the resource listed again if they differ.
//
// A difference may be an event on its way. So two comparisons, Options.Grace apart, have to find
// it. A second comparison also guards against one wrong answer.
//
// A list that is older than a version received before it was requested means that the API server
// was restored from a backup. Watches from a version that the backup does not have yet receive
// nothing. So all stored versions are forgotten, the resource is listed again, and the other
// resources are verified at once.
package verify
