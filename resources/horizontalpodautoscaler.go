package resources

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
)

func horizontalPodAutoscalers() Kind {
	return NewKind(definition[autoscalingv2.HorizontalPodAutoscaler]{
		resource: autoscalingv2.SchemeGroupVersion.WithResource("horizontalpodautoscalers"),
		identity: namespaceAndName[autoscalingv2.HorizontalPodAutoscaler]("horizontalpodautoscaler"),
		reads: `spec.minReplicas spec.maxReplicas spec.scaleTargetRef
			spec.behavior.scaleUp.tolerance spec.behavior.scaleDown.tolerance
			spec.metrics.type spec.metrics.resource spec.metrics.containerResource
			spec.metrics.object.metric.name spec.metrics.object.target
			spec.metrics.pods.metric.name spec.metrics.pods.target
			spec.metrics.external.metric.name spec.metrics.external.target
			status.currentReplicas status.desiredReplicas status.conditions.type status.conditions.status
			status.currentMetrics.type status.currentMetrics.resource status.currentMetrics.containerResource
			status.currentMetrics.object.metric.name status.currentMetrics.object.current
			status.currentMetrics.pods.metric.name status.currentMetrics.pods.current
			status.currentMetrics.external.metric.name status.currentMetrics.external.current`,
		families: []family[autoscalingv2.HorizontalPodAutoscaler]{
			gauge(Alpha, "kube_horizontalpodautoscaler_info", "Always 1; names the object that the autoscaler scales.", hpaInfo),
			generationFamily[autoscalingv2.HorizontalPodAutoscaler](Stable, "kube_horizontalpodautoscaler_metadata_generation", "autoscaler"),
			gauge(Stable, "kube_horizontalpodautoscaler_spec_max_replicas", "Highest number of pods that the autoscaler may set.", func(h *autoscalingv2.HorizontalPodAutoscaler, w *SampleWriter) { w.Int(int64(h.Spec.MaxReplicas)) }),
			gauge(Stable, "kube_horizontalpodautoscaler_spec_min_replicas", "Lowest number of pods that the autoscaler may set.", func(h *autoscalingv2.HorizontalPodAutoscaler, w *SampleWriter) {
				w.Int(int64(ptr.Deref(h.Spec.MinReplicas, 1))) // the default of the API server
			}),
			withUnit(unitByLabel("metric_name"), gauge(Alpha, "kube_horizontalpodautoscaler_spec_target_metric", "Value of a metric that the autoscaler aims at, in the metric's own unit or, for utilization, in percent.", hpaTargets)),
			withUnit(Ratio, gauge(Alpha, "kube_horizontalpodautoscaler_spec_behavior_scale_down_tolerance", "Deviation from the target below which the autoscaler does not scale down, as a ratio.", func(h *autoscalingv2.HorizontalPodAutoscaler, w *SampleWriter) {
				if b := h.Spec.Behavior; b != nil {
					tolerance(w, b.ScaleDown)
				}
			})),
			withUnit(Ratio, gauge(Alpha, "kube_horizontalpodautoscaler_spec_behavior_scale_up_tolerance", "Deviation from the target below which the autoscaler does not scale up, as a ratio.", func(h *autoscalingv2.HorizontalPodAutoscaler, w *SampleWriter) {
				if b := h.Spec.Behavior; b != nil {
					tolerance(w, b.ScaleUp)
				}
			})),
			withUnit(unitByLabel("metric_name"), gauge(Stable, "kube_horizontalpodautoscaler_status_target_metric", "Value of a metric that the autoscaler last saw, in the metric's own unit or, for utilization, in percent.", hpaCurrent)),
			gauge(Stable, "kube_horizontalpodautoscaler_status_current_replicas", "Number of pods that the autoscaler last saw.", func(h *autoscalingv2.HorizontalPodAutoscaler, w *SampleWriter) {
				w.Int(int64(h.Status.CurrentReplicas))
			}),
			gauge(Stable, "kube_horizontalpodautoscaler_status_desired_replicas", "Number of pods that the autoscaler last computed.", func(h *autoscalingv2.HorizontalPodAutoscaler, w *SampleWriter) {
				w.Int(int64(h.Status.DesiredReplicas))
			}),
			annotationsFamily[autoscalingv2.HorizontalPodAutoscaler](Alpha, "kube_horizontalpodautoscaler_annotations", "autoscaler"),
			labelsFamily[autoscalingv2.HorizontalPodAutoscaler](Stable, "kube_horizontalpodautoscaler_labels", "autoscaler"),
			gauge(Stable, "kube_horizontalpodautoscaler_status_condition", "Conditions of the autoscaler, 1 for the status that a condition has.", func(h *autoscalingv2.HorizontalPodAutoscaler, w *SampleWriter) {
				for _, c := range h.Status.Conditions {
					w.conditionStatus(c.Status, "status", "condition", string(c.Type))
				}
			}),
			createdFamily[autoscalingv2.HorizontalPodAutoscaler](Alpha, "kube_horizontalpodautoscaler_created", "autoscaler"),
			deletionFamily[autoscalingv2.HorizontalPodAutoscaler](Alpha, "kube_horizontalpodautoscaler_deletion_timestamp", "autoscaler"),
			optIn(withFields("status.conditions.reason", gauge(Alpha, "kube_horizontalpodautoscaler_status_condition_reason", "Always 1; names a condition of the autoscaler, the status that it has, and the reason.", func(h *autoscalingv2.HorizontalPodAutoscaler, w *SampleWriter) {
				for _, c := range h.Status.Conditions {
					w.presentCondition(string(c.Type), c.Status, c.Reason)
				}
			}))),
		},
	})
}

func hpaInfo(h *autoscalingv2.HorizontalPodAutoscaler, w *SampleWriter) {
	ref := h.Spec.ScaleTargetRef
	if ref.APIVersion == "" {
		w.Sample(1, "scaletargetref_kind", ref.Kind, "scaletargetref_name", ref.Name)
		return
	}
	w.Sample(1, "scaletargetref_api_version", ref.APIVersion, "scaletargetref_kind", ref.Kind, "scaletargetref_name", ref.Name)
}

// tolerance appends the number that the autoscaler uses, which may be below 1/1000.
func tolerance(w *SampleWriter, rules *autoscalingv2.HPAScalingRules) {
	if rules != nil && rules.Tolerance != nil {
		w.Value(rules.Tolerance.AsApproximateFloat64())
	}
}

// metricValue is the common part of a target and a current value.
type metricValue struct {
	value, average *resource.Quantity
	utilization    *int32
}

// write appends a sample for each part that is set. Metrics of the same name that differ only in their selectors give
// the same series; the first one counts.
func (v metricValue) write(w *SampleWriter, name, container string) {
	if v.value != nil {
		w.UniqueSample(milliValue(*v.value), "metric_name", name, "metric_target_type", "value", "container", container)
	}
	if v.average != nil {
		w.UniqueSample(milliValue(*v.average), "metric_name", name, "metric_target_type", "average", "container", container)
	}
	if v.utilization != nil {
		w.UniqueSample(float64(*v.utilization), "metric_name", name, "metric_target_type", "utilization", "container", container)
	}
}

func target(t autoscalingv2.MetricTarget) metricValue {
	return metricValue{t.Value, t.AverageValue, t.AverageUtilization}
}

func current(s autoscalingv2.MetricValueStatus) metricValue {
	return metricValue{s.Value, s.AverageValue, s.AverageUtilization}
}

// hpaTargets skips entries without the source that their type names.
func hpaTargets(h *autoscalingv2.HorizontalPodAutoscaler, w *SampleWriter) {
	for _, s := range h.Spec.Metrics {
		switch {
		case s.Type == autoscalingv2.ObjectMetricSourceType && s.Object != nil:
			target(s.Object.Target).write(w, s.Object.Metric.Name, "")
		case s.Type == autoscalingv2.PodsMetricSourceType && s.Pods != nil:
			target(s.Pods.Target).write(w, s.Pods.Metric.Name, "")
		case s.Type == autoscalingv2.ResourceMetricSourceType && s.Resource != nil:
			target(s.Resource.Target).write(w, string(s.Resource.Name), "")
		case s.Type == autoscalingv2.ContainerResourceMetricSourceType && s.ContainerResource != nil:
			target(s.ContainerResource.Target).write(w, string(s.ContainerResource.Name), s.ContainerResource.Container)
		case s.Type == autoscalingv2.ExternalMetricSourceType && s.External != nil:
			target(s.External.Target).write(w, s.External.Metric.Name, "")
		default:
			w.Skip()
		}
	}
}

// hpaCurrent is hpaTargets for the current values.
func hpaCurrent(h *autoscalingv2.HorizontalPodAutoscaler, w *SampleWriter) {
	for _, s := range h.Status.CurrentMetrics {
		switch {
		case s.Type == autoscalingv2.ObjectMetricSourceType && s.Object != nil:
			current(s.Object.Current).write(w, s.Object.Metric.Name, "")
		case s.Type == autoscalingv2.PodsMetricSourceType && s.Pods != nil:
			current(s.Pods.Current).write(w, s.Pods.Metric.Name, "")
		case s.Type == autoscalingv2.ResourceMetricSourceType && s.Resource != nil:
			current(s.Resource.Current).write(w, string(s.Resource.Name), "")
		case s.Type == autoscalingv2.ContainerResourceMetricSourceType && s.ContainerResource != nil:
			current(s.ContainerResource.Current).write(w, string(s.ContainerResource.Name), s.ContainerResource.Container)
		case s.Type == autoscalingv2.ExternalMetricSourceType && s.External != nil:
			current(s.External.Current).write(w, s.External.Metric.Name, "")
		default:
			w.Skip()
		}
	}
}
