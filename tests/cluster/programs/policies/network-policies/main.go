// Enforces NetworkPolicies on the test cluster's one node.
//
// The decisions are those of sigs.k8s.io/kube-network-policies, whose engine is used as a library. Its own way of
// getting at packets needs an nft queue, which not every kernel has; here an iptables rule sends the first packet of
// each connection of a pod to a queue. What the node itself sends is not looked at, as Kubernetes wants it: kubelet's
// probes must arrive. Without this process nothing new gets through.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	nfqueue "github.com/florianl/go-nfqueue/v2"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kube-network-policies/pkg/api"
	"sigs.k8s.io/kube-network-policies/pkg/network"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
	"sigs.k8s.io/kube-network-policies/pkg/podinfo"
)

const (
	queue = 100
	// How long the first packet of a new pod waits until the API server knows whose address it comes from.
	patience = 5 * time.Second
)

// The firewall decides on packets: pods is what the engine knows of addresses, inside the pods' network.
type firewall struct {
	engine *networkpolicy.PolicyEngine
	pods   api.PodInfoProvider
	inside *net.IPNet
	node   net.IP
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "credential for the host's API server")
	node := flag.String("node", "", "name of the node")
	bridge := flag.String("bridge", "", "bridge that the pods are on")
	address := flag.String("address", "", "the bridge's address with the length of the pods' network")
	flag.Parse()
	if err := run(*kubeconfig, *node, *bridge, *address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(kubeconfig, node, bridge, address string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	own, inside, err := net.ParseCIDR(address)
	if err != nil {
		return err
	}
	wall, err := newFirewall(ctx, kubeconfig, node)
	if err != nil {
		return err
	}
	wall.inside, wall.node = inside, own
	closeQueue, err := wall.listen(ctx)
	if err != nil {
		return err
	}
	defer closeQueue()
	if err := divert(bridge); err != nil {
		return err
	}
	fmt.Println("ready: new connections of pods are decided here")
	<-ctx.Done()
	return nil
}

func newFirewall(ctx context.Context, kubeconfig, node string) (*firewall, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	namespaces, pods := factory.Core().V1().Namespaces(), factory.Core().V1().Pods()
	resolver, err := podinfo.NewInformerResolver(pods.Informer())
	if err != nil {
		return nil, err
	}
	known := podinfo.NewInformerProvider(pods, namespaces, nil, []podinfo.IPResolver{resolver})
	policies := networkpolicy.NewStandardNetworkPolicy(node, namespaces, pods, factory.Networking().V1().NetworkPolicies())
	factory.Start(ctx.Done())
	ready := func(context.Context) (bool, error) { return policies.Ready(), nil }
	if err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, ready); err != nil {
		return nil, fmt.Errorf("the API server's pods, namespaces and policies: %w", err)
	}
	return &firewall{engine: networkpolicy.NewPolicyEngine(known, []api.PolicyEvaluator{policies}), pods: known}, nil
}

// divert sends the first packet of each connection that a pod opens, or that goes to one, to the queue.
func divert(bridge string) error {
	first := []string{"-m", "conntrack", "--ctstate", "NEW", "-j", "NFQUEUE", "--queue-num", strconv.Itoa(queue)}
	for _, rule := range [][]string{{"FORWARD"}, {"INPUT", "-i", bridge}} {
		rule = append(rule, first...)
		if exec.Command("iptables", append([]string{"-w", "-C"}, rule...)...).Run() == nil {
			continue // of a process before this one
		}
		place := append([]string{"-w", "-I", rule[0], "1"}, rule[1:]...)
		if out, err := exec.Command("iptables", place...).CombinedOutput(); err != nil {
			return fmt.Errorf("iptables %v: %w: %s", place, err, out)
		}
	}
	return nil
}

func (f *firewall) listen(ctx context.Context) (func(), error) {
	nfq, err := nfqueue.Open(&nfqueue.Config{
		NfQueue: queue, MaxPacketLen: 128, MaxQueueLen: 4096, Copymode: nfqueue.NfQnlCopyPacket,
		Flags: nfqueue.NfQaCfgFlagGSO, WriteTimeout: 100 * time.Millisecond,
	})
	if err != nil {
		return nil, fmt.Errorf("the packet queue: %w", err)
	}
	packet := func(a nfqueue.Attribute) int {
		id, payload := *a.PacketID, append([]byte(nil), *a.Payload...)
		go func() {
			verdict := nfqueue.NfDrop
			if f.allowed(ctx, payload) {
				verdict = nfqueue.NfAccept
			}
			if err := nfq.SetVerdict(id, verdict); err != nil {
				fmt.Println("no verdict given:", err)
			}
		}()
		return 0
	}
	problem := func(err error) int {
		if ctx.Err() == nil {
			fmt.Println("reading the queue:", err)
		}
		return 0
	}
	if err := nfq.RegisterWithErrorFunc(ctx, packet, problem); err != nil {
		return nil, fmt.Errorf("the packet queue: %w", err)
	}
	return func() { _ = nfq.Close() }, nil
}

func (f *firewall) allowed(ctx context.Context, payload []byte) bool {
	packet, err := network.ParsePacket(payload)
	if err != nil {
		fmt.Println("a packet that can't be read is dropped:", err)
		return false
	}
	if !f.settled(ctx, packet.SrcIP) {
		fmt.Printf("drop %s -> %s:%d: nobody is known to have this address\n", packet.SrcIP, packet.DstIP, packet.DstPort)
		return false
	}
	allowed, err := f.engine.EvaluatePacket(ctx, &packet)
	if err != nil || !allowed {
		fmt.Printf("drop %s -> %s:%d/%s %v\n", f.name(packet.SrcIP), f.name(packet.DstIP), packet.DstPort, packet.Proto, err)
	}
	return err == nil && allowed
}

// settled waits until the pod that has this address is known: no policy fits an address that nobody has.
func (f *firewall) settled(ctx context.Context, source net.IP) bool {
	if !f.inside.Contains(source) || source.Equal(f.node) {
		return true
	}
	known := func(context.Context) (bool, error) {
		_, found := f.pods.GetPodInfoByIP(source.String())
		return found, nil
	}
	return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, patience, true, known) == nil
}

func (f *firewall) name(address net.IP) string {
	if pod, found := f.pods.GetPodInfoByIP(address.String()); found {
		return pod.Namespace.Name + "/" + pod.Name
	}
	return address.String()
}
