// A method that labels have to have since Kubernetes 1.36, whose libraries this build shares with Kueue's.
package executor

// Lookup says what a label's value is, and whether there is one.
func (g gjsonLabels) Lookup(label string) (string, bool) {
	return g.Get(label), g.Has(label)
}
