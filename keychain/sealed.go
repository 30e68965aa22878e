package keychain

// sealed keeps a value two pointers away. Formatting by reflection follows one
// pointer from a field that no Format method reaches (an unexported field,
// with a verb that does not fit), and prints an address for the second.
type sealed[T any] struct{ value *T }

func seal[T any](value T) *sealed[T] { return &sealed[T]{value: &value} }
