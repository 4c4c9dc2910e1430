package standin

import (
	"cmp"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
)

// Matches says whether metadata pass a filter.
func Matches(filter, metadata *structpb.Struct) bool {
	for name, v := range filter.GetFields() {
		if !passes(name, v, metadata) {
			return false
		}
	}
	return true
}

func passes(name string, v *structpb.Value, metadata *structpb.Struct) bool {
	switch name {
	case "$and":
		for _, part := range v.GetListValue().GetValues() {
			if !Matches(part.GetStructValue(), metadata) {
				return false
			}
		}
		return true
	case "$or":
		for _, part := range v.GetListValue().GetValues() {
			if Matches(part.GetStructValue(), metadata) {
				return true
			}
		}
		return false
	}
	has := metadata.GetFields()[name]
	ops, ok := v.GetKind().(*structpb.Value_StructValue)
	if !ok {
		return equal(has, v)
	}
	for op, operand := range ops.StructValue.GetFields() {
		if !holds(op, has, operand) {
			return false
		}
	}
	return true
}

func holds(op string, has, operand *structpb.Value) bool {
	switch op {
	case "$eq":
		return equal(has, operand)
	case "$ne":
		return !equal(has, operand)
	case "$in":
		return within(has, operand)
	case "$nin":
		return !within(has, operand)
	case "$exists":
		return (has != nil) == operand.GetBoolValue()
	}
	a, ok := has.GetKind().(*structpb.Value_NumberValue)
	if !ok {
		return false
	}
	switch c := cmp.Compare(a.NumberValue, operand.GetNumberValue()); strings.TrimPrefix(op, "$") {
	case "gt":
		return c > 0
	case "gte":
		return c >= 0
	case "lt":
		return c < 0
	case "lte":
		return c <= 0
	}
	return false
}

func within(has, operand *structpb.Value) bool {
	for _, item := range operand.GetListValue().GetValues() {
		if equal(has, item) {
			return true
		}
	}
	return false
}

// equal compares a stored value with a constant; a stored list equals every one of its texts.
func equal(has, constant *structpb.Value) bool {
	if has == nil {
		return false
	}
	if list, ok := has.GetKind().(*structpb.Value_ListValue); ok {
		for _, item := range list.ListValue.GetValues() {
			if equal(item, constant) {
				return true
			}
		}
		return false
	}
	return has.AsInterface() == constant.AsInterface()
}
