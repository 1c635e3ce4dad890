package simulator

// Mix is what a cluster holds of one resource.
type Mix struct {
	Objects int
	Bytes   int64 // of the objects in protobuf
}

// Mix returns the numbers of objects, by resource.
func (c *Cluster) Mix() map[string]Mix {
	all := map[string]Mix{}
	for gvr, collection := range c.collections {
		items, _, _ := collection.state()
		m := Mix{Objects: len(items)}
		for _, o := range items {
			m.Bytes += int64(len(o.raw))
		}
		if m.Objects > 0 {
			all[gvr.Resource] = m
		}
	}
	return all
}
