package resources

// All returns every kind that statefleet knows, sorted by name. It is the one
// place where a kind is registered.
func All() []Kind {
	return []Kind{
		cronJobs(),
		daemonSets(),
		deployments(),
		horizontalPodAutoscalers(),
		jobs(),
		limitRanges(),
		namespaces(),
		nodes(),
		persistentVolumeClaims(),
		pods(),
		replicaSets(),
		replicationControllers(),
		resourceQuotas(),
		services(),
		statefulSets(),
	}
}
