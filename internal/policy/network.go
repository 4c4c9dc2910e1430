package policy

import (
	"net/netip"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// within is the function of conditions that asks whether an address lies in a network: within(context.client, "10.0.0.0/8").
// What is not an address or a network is an error, so it counts against the request.
func within(address, network ref.Val) ref.Val {
	a, err := netip.ParseAddr(string(address.(types.String)))
	if err != nil {
		return types.NewErr("within: %v", err)
	}
	n, err := netip.ParsePrefix(string(network.(types.String)))
	if err != nil {
		return types.NewErr("within: %v", err)
	}
	return types.Bool(n.Contains(a.Unmap()))
}
