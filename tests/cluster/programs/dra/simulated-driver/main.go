// A DRA driver without devices. It publishes slices of a GPU that is not there, and tells kubelet that each is ready;
// a container gets nothing of it. For tests of what Kubernetes does with DRA in place of a device plugin.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/dynamic-resource-allocation/kubeletplugin"
	"k8s.io/dynamic-resource-allocation/resourceslice"
)

type driver struct{ name string }

func (d driver) PrepareResourceClaims(
	_ context.Context, claims []*resourceapi.ResourceClaim,
) (map[types.UID]kubeletplugin.PrepareResult, error) {
	prepared := map[types.UID]kubeletplugin.PrepareResult{}
	for _, claim := range claims {
		var devices []kubeletplugin.Device
		for _, result := range claim.Status.Allocation.Devices.Results {
			if result.Driver == d.name {
				devices = append(devices, kubeletplugin.Device{
					Requests: []string{result.Request}, PoolName: result.Pool, DeviceName: result.Device,
				})
			}
		}
		prepared[claim.UID] = kubeletplugin.PrepareResult{Devices: devices}
	}
	return prepared, nil
}

func (driver) UnprepareResourceClaims(
	_ context.Context, claims []kubeletplugin.NamespacedObject,
) (map[types.UID]error, error) {
	done := map[types.UID]error{}
	for _, claim := range claims {
		done[claim.UID] = nil
	}
	return done, nil
}

func (driver) HandleError(_ context.Context, err error, message string) { log.Printf("%s: %v", message, err) }

func main() {
	kubeconfig := flag.String("kubeconfig", "", "of the node's cluster")
	node := flag.String("node", "", "the node's name")
	name := flag.String("driver", "", "the driver's name")
	data := flag.String("data", "", "a folder for its socket")
	slice := flag.String("slice", "", "what every device is, for example 2g.20gb")
	count := flag.Int("count", 1, "how many there are")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *node, *data, driver{*name}, *slice, *count); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, kubeconfig, node, data string, d driver, slice string, count int) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	helper, err := kubeletplugin.Start(ctx, d,
		kubeletplugin.DriverName(d.name), kubeletplugin.NodeName(node), kubeletplugin.KubeClient(client),
		kubeletplugin.PluginDataDirectoryPath(data))
	if err != nil {
		return err
	}
	defer helper.Stop()
	if err := helper.PublishResources(ctx, resources(node, slice, count)); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func resources(node, slice string, count int) resourceslice.DriverResources {
	kind, profile := "mig", slice
	var devices []resourceapi.Device
	for number := range count {
		devices = append(devices, resourceapi.Device{
			Name: fmt.Sprintf("simulated-%d", number),
			Attributes: map[resourceapi.QualifiedName]resourceapi.DeviceAttribute{
				"type":    {StringValue: &kind},
				"profile": {StringValue: &profile},
			},
		})
	}
	slices := []resourceslice.Slice{{Devices: devices}}
	return resourceslice.DriverResources{Pools: map[string]resourceslice.Pool{node: {Slices: slices}}}
}
