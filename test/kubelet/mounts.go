package kubelet

import (
	"context"
	"os"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// writeConfigMaps writes each ConfigMap that the container mounts to a folder. It returns pairs of mount path and
// folder, as args expects them.
func (p *pod) writeConfigMaps(ctx context.Context) (pairs []string, err error) {
	names := map[string]string{} // of ConfigMaps, by volume
	for _, volume := range p.spec.Spec.Volumes {
		if volume.ConfigMap != nil {
			names[volume.Name] = volume.ConfigMap.Name
		}
	}
	for _, mount := range p.spec.Spec.Containers[0].VolumeMounts {
		name, ok := names[mount.Name]
		if !ok {
			continue
		}
		source, err := p.k.o.Client.CoreV1().ConfigMaps(p.spec.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		folder := p.k.t.TempDir()
		for key, text := range source.Data {
			if err := os.WriteFile(filepath.Join(folder, key), []byte(text), 0o600); err != nil {
				return nil, err
			}
		}
		pairs = append(pairs, mount.MountPath+"/", folder+"/")
	}
	return pairs, nil
}
